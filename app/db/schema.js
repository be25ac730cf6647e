// A small shop. Money is numeric, never a float; keys are identity columns.
import { index, integer, numeric, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";

const createdAt = () => timestamp("created_at", { withTimezone: true }).notNull().defaultNow();

export const customers = pgTable("customers", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  email: text().notNull().unique(),
  name: text().notNull(),
  createdAt: createdAt(),
});

export const products = pgTable("products", {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  sku: text().notNull().unique(),
  name: text().notNull(),
  price: numeric({ precision: 10, scale: 2 }).notNull(),
  createdAt: createdAt(),
});

export const orders = pgTable(
  "orders",
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    customerId: integer("customer_id").notNull().references(() => customers.id),
    status: text().notNull().default("placed"),
    createdAt: createdAt(),
  },
  (table) => [index("orders_created_at_index").on(table.createdAt)],
);

export const orderItems = pgTable(
  "order_items",
  {
    orderId: integer("order_id").notNull().references(() => orders.id, { onDelete: "cascade" }),
    productId: integer("product_id").notNull().references(() => products.id),
    quantity: integer().notNull(),
    unitPrice: numeric("unit_price", { precision: 10, scale: 2 }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.orderId, table.productId] })],
);
