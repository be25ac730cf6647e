// Serves one deployment the way Vercel's Node runtime does: a file in api/ that default-exports (request, response).
// Called with the descriptors of a listening socket and of a pipe that is told when every function is loaded.
import { existsSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";

const [listening, ready] = process.argv.slice(2).map(Number);
const root = process.cwd();
const functions = new Map();

function sources(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (/^[._]/.test(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.(js|mjs|cjs)$/.test(entry.name) ? [path] : [];
  });
}

async function load() {
  for (const file of sources(join(root, "api"))) {
    const module = await import(pathToFileURL(file).href);
    const candidate = module.default?.default ?? module.default;
    const path = "/" + relative(root, file).split(sep).join("/").replace(/\.\w+$/, "").replace(/\/index$/, "");
    if (typeof candidate !== "function") throw new Error(`${path} has no default export that is a function`);
    functions.set(path, candidate);
  }
}

// The part of Vercel's rewrite syntax that apps with functions use: (.*), :name, :name* and :name(pattern).
function compile({ source, destination }) {
  const names = [];
  const pattern = source.replace(/:(\w+)(\([^)]*\))?(\*)?|\([^)]*\)|[.+?^${}|[\]\\]/g, (text, name, own, many) => {
    if (name) {
      names.push(name);
      return own ?? (many ? "(.*)" : "([^/]+)");
    }
    if (text.startsWith("(")) {
      names.push(String(names.length + 1));
      return text;
    }
    return `\\${text}`;
  });
  return { pattern: new RegExp(`^${pattern}$`), names, destination };
}

const configuration = existsSync(join(root, "vercel.json")) ? JSON.parse(readFileSync(join(root, "vercel.json"), "utf8")) : {};
const rewrites = (configuration.rewrites ?? []).filter((rewrite) => !rewrite.has && !rewrite.missing).map(compile);

function route(path) {
  const trimmed = path.length > 1 ? path.replace(/\/$/, "") : path;
  if (functions.has(trimmed)) return functions.get(trimmed);
  for (const { pattern, names, destination } of rewrites) {
    const match = pattern.exec(path);
    if (!match) continue;
    const target = names.reduce(
      (text, name, index) => text.replaceAll(`:${name}*`, match[index + 1]).replaceAll(`:${name}`, match[index + 1]).replaceAll(`$${name}`, match[index + 1]),
      destination,
    );
    const found = functions.get(target.split("?")[0]);
    if (found) return found;
  }
  return undefined;
}

function fail(response, status, code, text) {
  if (response.headersSent) return response.destroy();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "x-vercel-error": code });
  return response.end(`${text}\n\n${code}\n`);
}

const server = createServer(async (request, response) => {
  const found = route(request.url.split("?")[0]);
  if (!found) return fail(response, 404, "NOT_FOUND", "The page could not be found");
  try {
    await found(request, response);
  } catch (error) {
    console.error(error);
    fail(response, 500, "FUNCTION_INVOCATION_FAILED", "A server error has occurred");
  }
});
// The edge decides how long a connection is kept, so that none is closed while a request is on its way.
server.keepAliveTimeout = 0;
server.requestTimeout = 0;

function stop() {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
}

process.once("SIGTERM", stop);
// The local cloud holds the other end: when it is gone, however it went, so is this process.
process.stdin.on("end", () => process.exit(0)).on("error", () => process.exit(0)).resume();

await load();
server.listen({ fd: listening }, () => writeSync(ready, "1"));
