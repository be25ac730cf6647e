// The whole app is one function: vercel.json sends every path here, dev.js serves it without Vercel.
import { errorClass, reading, transaction } from "../db/connection.js";
import { EmptyShop, latestOrders, placeOrder, rowCounts, whereabouts } from "../db/shop.js";
import { failurePage, shopPage } from "../web/page.js";

const deployment = () => process.env.VERCEL_DEPLOYMENT_ID ?? null;
const wantsPage = (request) => (request.headers.accept ?? "").includes("text/html");

function sendJson(response, status, value) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
  response.end(`${JSON.stringify(value)}\n`);
}

function sendPage(response, status, html) {
  response.writeHead(status, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
  response.end(html);
}

async function health(request, response) {
  const seen = await reading(async (db) => ({ ...(await whereabouts(db)), rows: await rowCounts(db) }));
  sendJson(response, 200, { ok: true, deployment: deployment(), ...seen });
}

async function home(request, response) {
  const seen = await reading(async (db) => ({
    ...(await whereabouts(db)),
    rows: await rowCounts(db),
    orders: await latestOrders(db),
  }));
  sendPage(response, 200, shopPage({ ...seen, deployment: deployment() }));
}

async function listOrders(request, response) {
  sendJson(response, 200, { orders: await reading(latestOrders) });
}

async function addOrder(request, response) {
  const written = await transaction(async (db) => ({ id: await placeOrder(db), ...(await whereabouts(db)) }));
  if (wantsPage(request)) response.writeHead(303, { location: "/" }).end();
  else sendJson(response, 201, { id: written.id, branch: written.branch });
}

const ROUTES = {
  "GET /": home,
  "GET /health": health,
  "GET /orders": listOrders,
  "POST /orders": addOrder,
};

export default async function shop(request, response) {
  const path = new URL(request.url, "http://localhost").pathname;
  const method = request.method === "HEAD" ? "GET" : request.method;
  const route = ROUTES[`${method} ${path}`];
  if (!route) return sendJson(response, 404, { error: "not_found" });
  try {
    await route(request, response);
  } catch (error) {
    if (error instanceof EmptyShop) return sendJson(response, 409, { error: "empty_shop" });
    const problem = errorClass(error);
    console.error(`${method} ${path}: ${problem}`);
    if (path === "/" && wantsPage(request)) sendPage(response, 503, failurePage({ error: problem, deployment: deployment() }));
    else sendJson(response, 503, { ok: false, error: problem, deployment: deployment() });
  }
}
