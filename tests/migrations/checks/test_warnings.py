"""What is worth knowing of a migration and refuses none becomes a warning."""

import pytest

from tests.migrations.folders import verdict

BEFORE = "CREATE TABLE orders (id int PRIMARY KEY, note varchar(20), price numeric(10, 2));"
REWRITTEN = "it rewrites every row of orders and locks readers out meanwhile"
DIFFERS = f"its value differs from row to row, so {REWRITTEN}"

WARNINGS = {
    "ALTER TABLE orders ALTER COLUMN id TYPE bigint": REWRITTEN,
    "ALTER TABLE orders ADD COLUMN key uuid DEFAULT gen_random_uuid()": DIFFERS,
    "ALTER TABLE orders ADD COLUMN n int GENERATED ALWAYS AS IDENTITY": DIFFERS,
    "ALTER TABLE orders ADD COLUMN n bigserial": DIFFERS,
    "SET lock_timeout = 0": "it sets lock_timeout, which replaces the run's own limit",
    "SET ROLE other": "tables made after it belong to another role, and the app's role gets no rights on them",
    "ALTER TABLE orders OWNER TO other": "the app's role gets no rights on a table of another role",
    "GRANT INSERT ON orders TO PUBLIC": "a fence can't take a right away from PUBLIC: if it is a right to "
    "write, no promotion leaves the branch",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'": "a function with its owner's rights "
    "writes through any fence, so it stops a promotion",
    "CREATE ROLE reader PASSWORD 'hunter2'": "it holds a password, which everybody who can read the repository can use",
    "DO $$ DECLARE t text; BEGIN EXECUTE 'DROP TABLE ' || t; END $$": "its SQL is put together when it runs, so "
    "nobody can judge it before",
    "CALL tidy_up()": "its SQL is put together when it runs, so nobody can judge it before",
}

QUIET = (
    "ALTER TABLE orders ALTER COLUMN note TYPE varchar(40)",
    "ALTER TABLE orders ALTER COLUMN note TYPE text",
    "ALTER TABLE orders ALTER COLUMN price TYPE numeric(12, 2)",
    "ALTER TABLE orders ADD COLUMN made timestamptz NOT NULL DEFAULT now()",
    "ALTER TABLE orders ADD COLUMN n int NOT NULL DEFAULT 0",
    "CREATE TABLE fresh (id int); ALTER TABLE fresh ADD COLUMN key uuid DEFAULT gen_random_uuid()",
    "GRANT SELECT ON orders TO reader",
    "DO $$ BEGIN CREATE TYPE e AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
)


@pytest.mark.parametrize("statement", WARNINGS)
def test_it_is_a_warning(statement: str) -> None:
    [found] = verdict(statement, before=BEFORE).warnings
    assert found.startswith("0001_m.sql:1 ")
    assert found.endswith(f": {WARNINGS[statement]}")
    assert "hunter2" not in found


@pytest.mark.parametrize("statement", QUIET)
def test_it_is_no_warning(statement: str) -> None:
    assert verdict(statement, before=BEFORE).warnings == ()
