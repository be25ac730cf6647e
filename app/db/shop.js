// What the app asks of its database.
import { asc, desc, eq, sql } from "drizzle-orm";
import { customers, orderItems, orders, products } from "./schema.js";

const TABLES = { customers, products, orders, order_items: orderItems };

export class EmptyShop extends Error {}

/** Which branch, endpoint and database answer; Neon's computes know, a plain Postgres answers null. */
export async function whereabouts(db) {
  const { rows } = await db.execute(sql`
    select nullif(current_setting('neon.branch_id', true), '') as branch,
           nullif(current_setting('neon.endpoint_id', true), '') as endpoint,
           current_database() as database`);
  return rows[0];
}

export async function rowCounts(db) {
  const counts = {};
  for (const [name, table] of Object.entries(TABLES)) counts[name] = await db.$count(table);
  return counts;
}

export async function latestOrders(db, limit = 10) {
  return db
    .select({
      id: orders.id,
      customer: customers.name,
      status: orders.status,
      placed: orders.createdAt,
      items: sql`coalesce(sum(${orderItems.quantity}), 0)`.mapWith(Number),
      total: sql`coalesce(sum(${orderItems.quantity} * ${orderItems.unitPrice}), 0)::numeric(12, 2)::text`,
    })
    .from(orders)
    .innerJoin(customers, eq(customers.id, orders.customerId))
    .leftJoin(orderItems, eq(orderItems.orderId, orders.id))
    .groupBy(orders.id, customers.name)
    .orderBy(desc(orders.id))
    .limit(limit);
}

/** One order of the first customer for the first product. */
export async function placeOrder(db, quantity = 1) {
  const [customer] = await db.select().from(customers).orderBy(asc(customers.id)).limit(1);
  const [product] = await db.select().from(products).orderBy(asc(products.id)).limit(1);
  if (!customer || !product) throw new EmptyShop("no customer or no product: npm run seed");
  const [order] = await db.insert(orders).values({ customerId: customer.id }).returning({ id: orders.id });
  await db.insert(orderItems).values({ orderId: order.id, productId: product.id, quantity, unitPrice: product.price });
  return order.id;
}
