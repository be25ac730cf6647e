// A small shop with the same content every time; running it twice changes nothing.
import { eq, inArray } from "drizzle-orm";
import { close, errorClass, transaction } from "./db/connection.js";
import { customers, orderItems, orders, products } from "./db/schema.js";
import { rowCounts } from "./db/shop.js";

const CUSTOMERS = [
  { email: "ada@example.com", name: "Ada" },
  { email: "grace@example.com", name: "Grace" },
  { email: "edsger@example.com", name: "Edsger" },
];
const PRODUCTS = [
  { sku: "PEN-01", name: "Fountain pen", price: "24.90" },
  { sku: "INK-01", name: "Ink, blue-black", price: "8.50" },
  { sku: "PAD-01", name: "Notepad A5", price: "4.20" },
];
const ORDERS = [
  { email: "ada@example.com", items: [["PEN-01", 1], ["INK-01", 2]] },
  { email: "grace@example.com", items: [["PAD-01", 10]] },
  { email: "edsger@example.com", items: [["PEN-01", 1]] },
  { email: "ada@example.com", items: [["PAD-01", 3]] },
];

async function seed(db) {
  await db.insert(customers).values(CUSTOMERS).onConflictDoNothing();
  await db.insert(products).values(PRODUCTS).onConflictDoNothing();
  if ((await db.$count(orders)) > 0) return rowCounts(db);
  for (const { email, items } of ORDERS) {
    const [customer] = await db.select().from(customers).where(eq(customers.email, email));
    const [order] = await db.insert(orders).values({ customerId: customer.id }).returning({ id: orders.id });
    const bought = await db.select().from(products).where(inArray(products.sku, items.map(([sku]) => sku)));
    const bySku = new Map(bought.map((product) => [product.sku, product]));
    await db.insert(orderItems).values(
      items.map(([sku, quantity]) => ({
        orderId: order.id,
        productId: bySku.get(sku).id,
        quantity,
        unitPrice: bySku.get(sku).price,
      })),
    );
  }
  return rowCounts(db);
}

try {
  console.log(JSON.stringify(await transaction(seed)));
} catch (error) {
  console.error(`not seeded: ${errorClass(error)}`);
  process.exitCode = 1;
} finally {
  await close();
}
