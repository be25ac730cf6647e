// One pool per process. A compute that went to sleep or was replaced ends idle connections: that is met here, once.
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import * as schema from "./schema.js";

const STATEMENT_TIMEOUT_MS = 5000;
const LOST = new Set(["57P01", "57P02", "57P03", "08000", "08003", "08006", "ECONNRESET", "EPIPE"]);

const CLASSES = {
  "28P01": "authentication_failed",
  "28000": "authentication_failed",
  "42501": "permission_denied",
  25006: "read_only",
  "3D000": "no_such_database",
  "42P01": "not_migrated",
  42703: "not_migrated",
  53300: "too_many_connections",
  57014: "statement_timeout",
  ECONNREFUSED: "connection_refused",
  ENOTFOUND: "host_not_found",
};

let pool;

function connections() {
  if (!process.env.DATABASE_URL) throw Object.assign(new Error("DATABASE_URL is not set"), { code: "NO_URL" });
  if (!pool) {
    pool = new pg.Pool({
      connectionString: process.env.DATABASE_URL,
      max: 5,
      idleTimeoutMillis: 10_000,
      connectionTimeoutMillis: 5000,
      query_timeout: STATEMENT_TIMEOUT_MS + 1000,
    });
    // Without a listener, a connection that is lost would end the process: the pool's covers idle ones, a client's own
    // the moment between two statements of a transaction.
    pool.on("error", (error) => console.warn(`idle database connection lost: ${errorClass(error)}`));
    pool.on("connect", (client) => client.on("error", () => undefined));
  }
  return pool;
}

/** Run `work(db)` in a transaction. A dead connection is replaced once, and only before the first statement of `work`:
 *  to run that again could write twice. */
export async function transaction(work) {
  return attempt("begin", work);
}

/** Run `work(db)`, which only reads, in a transaction; once more on another connection if the first is lost on the way. */
export async function reading(work) {
  try {
    return await attempt("begin read only", work);
  } catch (error) {
    if (!isLost(error.cause ?? error)) throw error;
    return attempt("begin read only", work);
  }
}

async function attempt(begin, work) {
  const client = await opened(begin);
  let broken;
  try {
    const result = await work(drizzle(client, { schema }));
    await client.query("commit");
    return result;
  } catch (error) {
    broken = await client.query("rollback").then(() => undefined, (failure) => failure);
    throw error;
  } finally {
    client.release(broken);
  }
}

async function opened(begin) {
  for (let tries = 1; ; tries += 1) {
    let client;
    try {
      client = await connections().connect();
      // Set per transaction: a pooler refuses it as a start-up parameter.
      await client.query(`${begin}; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
      return client;
    } catch (error) {
      client?.release(error);
      if (tries > 1 || !isLost(error)) throw error;
    }
  }
}

export async function close() {
  await pool?.end();
  pool = undefined;
}

function isLost(error) {
  return LOST.has(error.code) || /connection terminated/i.test(error.message);
}

/** What may be told about a database error: its class, never its text, which can carry a host, a query or a value. */
export function errorClass(error) {
  const cause = error.cause ?? error;
  if (cause.code === "NO_URL") return "not_configured";
  if (isLost(cause)) return "connection_lost";
  if (/timeout/i.test(cause.message) && !cause.code) return "timeout";
  return CLASSES[cause.code] ?? "database_error";
}
