// The app without Vercel: PORT=3000 DATABASE_URL=postgresql://… npm run dev
import { createServer } from "node:http";
import shop from "./api/index.js";
import { close } from "./db/connection.js";

const server = createServer(shop);
server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close(close);
    server.closeIdleConnections();
  });
}
