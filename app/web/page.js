// The page at "/": which branch and which deployment answered, and what the shop holds.
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escape(value) {
  return String(value ?? "—").replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; }
  dt { opacity: .7; } dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; }
  td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
  button { font: inherit; padding: .3rem .9rem; }`;

function layout(body) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Branch shop</title>
<style>${STYLE}</style>
<h1>Branch shop</h1>
${body}
</html>
`;
}

function facts(pairs) {
  return `<dl>${pairs.map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`).join("")}</dl>`;
}

export function shopPage({ branch, endpoint, database, deployment, rows, orders }) {
  const lines = orders.map(
    (order) => `<tr><td>${escape(order.id)}</td><td>${escape(order.customer)}</td><td>${escape(order.status)}</td>
<td>${escape(order.placed.toISOString())}</td><td class="number">${escape(order.items)}</td><td class="number">${escape(order.total)}</td></tr>`,
  );
  return layout(`
${facts([["branch", branch], ["endpoint", endpoint], ["database", database], ["deployment", deployment]])}
<h2>Rows</h2>
${facts(Object.entries(rows))}
<h2>Latest orders</h2>
<table><tr><th>order</th><th>customer</th><th>status</th><th>placed</th><th class="number">items</th><th class="number">total</th></tr>
${lines.join("\n")}</table>
<form method="post" action="/orders"><p><button>Place an order</button></p></form>`);
}

export function failurePage({ error, deployment }) {
  return layout(`<p>The database does not answer: <strong>${escape(error)}</strong></p>${facts([["deployment", deployment]])}`);
}
