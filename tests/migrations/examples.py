"""Statements that can't run inside a transaction, and look-alikes that can: judged by us and by a real Postgres."""

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, note text);
CREATE TABLE p (id int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
CREATE TYPE mood AS ENUM ('glad');
CREATE TABLE moods (m mood);
CREATE INDEX t_note ON t (note);
CREATE PUBLICATION pub FOR TABLE t;
CREATE SUBSCRIPTION sub CONNECTION 'dbname=x' PUBLICATION pub WITH (connect = false);
"""

UNRUNNABLE = {
    "CREATE INDEX CONCURRENTLY i ON t (note)": "CREATE INDEX CONCURRENTLY",
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (note)": "CREATE INDEX CONCURRENTLY",
    "DROP INDEX CONCURRENTLY t_note": "DROP INDEX CONCURRENTLY",
    "REINDEX TABLE CONCURRENTLY t": "REINDEX CONCURRENTLY",
    "REINDEX (CONCURRENTLY) INDEX t_note": "REINDEX CONCURRENTLY",
    "REINDEX SCHEMA public": "REINDEX CONCURRENTLY",
    "VACUUM": "VACUUM",
    "VACUUM FULL t": "VACUUM",
    "CREATE DATABASE other": "CREATE or DROP DATABASE",
    "DROP DATABASE postgres": "CREATE or DROP DATABASE",
    "ALTER DATABASE postgres SET TABLESPACE pg_default": "ALTER DATABASE SET TABLESPACE",
    "CREATE TABLESPACE s LOCATION '/nowhere'": "CREATE or DROP TABLESPACE",
    "DROP TABLESPACE s": "CREATE or DROP TABLESPACE",
    "ALTER SYSTEM SET work_mem = '64MB'": "ALTER SYSTEM",
    "CLUSTER": "CLUSTER of all tables",
    "DISCARD ALL": "DISCARD ALL",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION pub": "CREATE or DROP SUBSCRIPTION",
    "ALTER SUBSCRIPTION sub REFRESH PUBLICATION": "ALTER SUBSCRIPTION with a refresh",
    "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY": "DETACH PARTITION CONCURRENTLY",
}
"""A statement, and how its refusal begins to say what it is."""

RUNNABLE = (
    "CREATE INDEX i ON t (note)",
    "DROP INDEX t_note",
    "REINDEX TABLE t",
    "REINDEX INDEX t_note",
    "ANALYZE t",
    "CLUSTER t USING t_pkey",
    "DISCARD PLANS",
    "ALTER DATABASE postgres SET work_mem = '8MB'",
    "ALTER TABLE p DETACH PARTITION p1",
    "SAVEPOINT s; ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s",
    "ALTER TYPE mood ADD VALUE 'sad'",
    "ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'; INSERT INTO moods VALUES ('happy')",
    "CREATE TYPE way AS ENUM ('in'); ALTER TYPE way ADD VALUE 'out'; CREATE TABLE w (d way DEFAULT 'out')",
    "ALTER SUBSCRIPTION sub DISABLE",
    "SET LOCAL lock_timeout = '1s'",
)

EARLY = (
    ("ALTER TYPE mood ADD VALUE 'sad'", "INSERT INTO moods VALUES ('sad')"),
    ("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'sad'", "ALTER TABLE moods ALTER COLUMN m SET DEFAULT 'sad'"),
    ("ALTER TYPE mood ADD VALUE 'sad' BEFORE 'glad'", "UPDATE moods SET m = 'glad' WHERE m = 'sad'"),
)
"""An enum's value that is added, and a statement that uses it before the transaction has ended."""

SETUP_18 = """
CREATE TABLE customers (id int PRIMARY KEY);
CREATE TABLE orders (id int PRIMARY KEY, note text, customer int);
CREATE TABLE log (id int);
CREATE TABLE stays (room int4range, during daterange, PRIMARY KEY (room, during WITHOUT OVERLAPS));
INSERT INTO orders VALUES (-1, 'refers to nobody', 7);
"""

POSTGRES_18 = {
    "ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0) NOT ENFORCED": "AlterTableStmt",
    "ALTER TABLE orders\n  ADD CONSTRAINT c\n  CHECK (id > 0)\n  NOT ENFORCED": "AlterTableStmt",
    "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers NOT ENFORCED": "AlterTableStmt",
    "ALTER TABLE orders ADD v bigint GENERATED ALWAYS AS (id * 2) VIRTUAL": "AlterTableStmt",
    "ALTER TABLE orders\n  ADD v bigint\n  GENERATED ALWAYS AS (id * 2)": "AlterTableStmt",
    "CREATE TABLE x (a bigint, b bigint GENERATED ALWAYS AS (a + 1) VIRTUAL, CHECK (a > 0) NOT ENFORCED)": "CreateStmt",
    "CREATE TABLE x (id int4range, at daterange, PRIMARY KEY (id, at WITHOUT OVERLAPS))": "CreateStmt",
    "CREATE TABLE x (room int4range, at daterange, FOREIGN KEY (room, PERIOD at) REFERENCES stays)": "CreateStmt",
    "UPDATE orders SET note = 'a' WHERE id = 1 RETURNING old.note, new.note": "UpdateStmt",
    "DELETE FROM orders WHERE id = 1 RETURNING old.*": "DeleteStmt",
    "INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET note = '' RETURNING old.id, new.id": "InsertStmt",
    'INSERT INTO orders VALUES (1) RETURNING WITH (OLD AS was, NEW AS "is") was.id, "is".id': "InsertStmt",
}
"""Statements that are new in Postgres 18, and the kind of each. The ALTER TABLEs read and write no row."""
