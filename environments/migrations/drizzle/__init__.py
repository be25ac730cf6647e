"""Migrations as drizzle-kit reads, records and runs them."""
