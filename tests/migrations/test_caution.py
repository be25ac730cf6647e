"""What stops no migration and is worth knowing is told."""

import pytest

from tests.migrations.folders import verdict

BEFORE = "CREATE TABLE orders (id int PRIMARY KEY, note varchar(20), price numeric(10, 2));"
REWRITTEN = "it writes every row of orders anew, and locks out readers meanwhile"
DIFFERS = f"its value differs from row to row, so {REWRITTEN}"

TOLD = {
    "ALTER TABLE orders ALTER COLUMN id TYPE bigint": REWRITTEN,
    "ALTER TABLE orders ADD COLUMN key uuid DEFAULT gen_random_uuid()": DIFFERS,
    "ALTER TABLE orders ADD COLUMN n int GENERATED ALWAYS AS IDENTITY": DIFFERS,
    "ALTER TABLE orders ADD COLUMN n bigserial": DIFFERS,
    "SET lock_timeout = 0": "it sets lock_timeout, which takes the place of the run's own limit",
    "SET ROLE other": "what is made after it belongs to another role, and the app's role gets no rights on it",
    "ALTER TABLE orders OWNER TO other": "a table of another role's gives the app's role no rights",
    "GRANT INSERT ON orders TO PUBLIC": "a right of PUBLIC can't be taken by a fence: if it is one to write, no "
    "promotion leaves the branch",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'": "a function with its owner's rights "
    "writes through any fence; it stops a promotion",
    "CREATE ROLE reader PASSWORD 'hunter2'": "it holds a password, which everybody who reads the repository can use",
    "DO $$ DECLARE t text; BEGIN EXECUTE 'DROP TABLE ' || t; END $$": "what it runs is put together when it runs, so "
    "it isn't judged",
    "CALL tidy_up()": "what it runs is put together when it runs, so it isn't judged",
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


@pytest.mark.parametrize("statement", TOLD)
def test_it_is_told(statement: str) -> None:
    [found] = verdict(statement, before=BEFORE).cautions
    assert found.startswith("0001_m.sql:1 ")
    assert found.endswith(f": {TOLD[statement]}")
    assert "hunter2" not in found


@pytest.mark.parametrize("statement", QUIET)
def test_there_is_nothing_to_tell(statement: str) -> None:
    assert verdict(statement, before=BEFORE).cautions == ()
