"""A shop's database as it is carried over, and how the tests ask both of its copies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from environments.clients.neon import Address, Neon
from environments.ids import BranchId, DatabaseName, EndpointId, NeonProject
from tests.localcloud.neon.hosting import Project
from tests.resources.computes import OWNER, Session, run

SHOP = """
CREATE ROLE readers; CREATE ROLE app LOGIN PASSWORD 'of the source'; GRANT readers TO app;
CREATE EXTENSION pg_trgm;
CREATE TYPE state AS ENUM ('open', 'sent');
CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, since timestamptz);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, state state, paid float8,
    tags text[], extra jsonb, raw bytea, total money);
CREATE TABLE gone (a int, b int, c int); ALTER TABLE gone DROP COLUMN b; INSERT INTO gone VALUES (1, 3);
CREATE TABLE "Odd name" ("per%cent" int, "quo""te" text); INSERT INTO "Odd name" VALUES (1, 'ü \\ " ''');
CREATE TABLE events (at date, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE events ADD PRIMARY KEY (at); INSERT INTO events VALUES ('2026-02-03', 'x');
CREATE SCHEMA drizzle; CREATE TABLE drizzle.migrations (id serial, hash text); INSERT INTO drizzle.migrations (hash)
    VALUES ('abc');
INSERT INTO customers (name, since) SELECT 'c' || n, '2026-03-29T01:30:00+01' FROM generate_series(1, 200) n;
INSERT INTO orders (customer_id, state, paid, tags, extra, raw, total)
    SELECT 1 + n % 200, 'open', n / 3.0, ARRAY['a,b', NULL], '{"a": 1}', '\\xdeadbeef', n
    FROM generate_series(1, 2000) n;
CREATE INDEX orders_state ON orders (state) WHERE paid > 3;
CREATE VIEW big AS SELECT orders.id, orders.paid FROM orders WHERE orders.paid > 100;
CREATE MATERIALIZED VIEW sums AS SELECT customer_id, sum(paid) FROM orders GROUP BY 1;
CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION secret() FROM PUBLIC;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.since := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE gone ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON gone FOR SELECT TO app USING (a > 0);
GRANT SELECT ON orders TO readers; GRANT INSERT ON orders TO app;
SELECT lo_from_bytea(0, 'a large object'::bytea);
ALTER DATABASE neondb SET search_path = "$user", public, drizzle; ALTER ROLE app SET statement_timeout = '7s'
"""


@contextmanager
def own_branch(project: Project) -> Iterator[Address]:
    made = project.branch(f"b{len(project.host.call('GET', f'{project.path}/branches')['branches'])}")
    branch, endpoint = BranchId(made["branch"]["id"]), EndpointId(made["endpoints"][0]["id"])
    yield Address(NeonProject(project.answer["project"]["id"]), branch, endpoint, DatabaseName("neondb"), OWNER)
    project.host.call("DELETE", f"{project.path}/branches/{branch}")


def uri(place: Address) -> str:
    with Neon() as neon:
        return neon.uri(place, pooled=False)


def session(place: Address) -> Session:
    return psycopg.connect(uri(place), autocommit=True)


def ask(place: Address, statement: str) -> list[tuple[object, ...]]:
    with session(place) as connection:
        return run(connection, statement)
