"""Whatever a migration holds, the judge comes to a verdict."""

import pytest

from environments.migrations.checks.judge import JudgeOptions
from tests.migrations.folders import shown, verdict

ODD = """
CREATE TABLE parts PARTITION OF orders (id NOT NULL) FOR VALUES FROM (1) TO (2);
CREATE TABLE typed OF pair (a WITH OPTIONS NOT NULL);
CREATE TABLE copied (LIKE orders INCLUDING ALL, x int);
CREATE TEMP TABLE few AS SELECT 1 AS a;
CREATE TYPE pair AS (a int, b text); ALTER TYPE pair DROP ATTRIBUTE b; ALTER TYPE pair ALTER ATTRIBUTE a TYPE bigint;
ALTER TYPE pair RENAME ATTRIBUTE a TO c;
ALTER VIEW v RENAME TO w; ALTER VIEW w ALTER COLUMN a SET DEFAULT 1; ALTER INDEX i RENAME TO j;
ALTER TABLE orders RENAME CONSTRAINT a TO b; ALTER TABLE IF EXISTS orders ALTER COLUMN id RESTART;
ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b; ALTER SEQUENCE s RESTART; ALTER DOMAIN d DROP NOT NULL;
ALTER TABLE orders ALTER COLUMN id TYPE int4range USING int4range(id, id, '[]'), ADD x interval day to second(3);
ALTER TABLE orders ADD y numeric(3, -2), ADD z other.kind[], ADD s SETOF int;
DROP FUNCTION f; DROP FUNCTION f(int, VARIADIC text[]); DROP AGGREGATE a(*); DROP OPERATOR +(a, b); DROP CAST (a AS b);
DROP TRIGGER t ON orders; DROP POLICY p ON orders; DROP RULE r ON orders; DROP TYPE a.b, c; DROP DOMAIN d CASCADE;
DROP OPERATOR CLASS c USING btree; DROP TRANSFORM FOR a LANGUAGE b; DROP FOREIGN TABLE f; DROP ACCESS METHOD a;
DROP SERVER s CASCADE; DROP EXTENSION e, f; DROP EVENT TRIGGER e; DROP STATISTICS s; DROP TEXT SEARCH PARSER p;
INSERT INTO orders SELECT * FROM a ON CONFLICT (id) DO UPDATE SET note = excluded.note; INSERT INTO a DEFAULT VALUES;
UPDATE orders SET (id, note) = (SELECT 1, 'a'); UPDATE orders o SET note = b.n FROM b; DELETE FROM ONLY orders USING b;
MERGE INTO orders o USING b ON o.id = b.id WHEN NOT MATCHED THEN INSERT VALUES (1) WHEN MATCHED AND b.x THEN DELETE;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC; REVOKE ALL ON orders FROM PUBLIC; GRANT a TO b;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; SET search_path = ''; RESET ALL; SHOW work_mem;
DO 'BEGIN NULL; END'; DO LANGUAGE plperl 'die'; DO $$ BEGIN this is no code $$; DO $$ DECLARE r record; BEGIN
FOR r IN SELECT 1 LOOP EXECUTE format('%s', r); EXECUTE 'SELECT 1 ' || 'x' USING r; END LOOP; RETURN; END $$;
CREATE FUNCTION f(a int DEFAULT 1) RETURNS SETOF orders LANGUAGE plpgsql SECURITY INVOKER AS 'BEGIN RETURN; END';
CREATE TRIGGER t AFTER INSERT ON orders EXECUTE FUNCTION f(); COMMENT ON TABLE orders IS NULL; LOCK TABLE orders;
EXPLAIN ANALYZE DELETE FROM orders; PREPARE p AS DELETE FROM orders; EXECUTE p; LISTEN a; CHECKPOINT; SECURITY LABEL ON
TABLE orders IS 'x'; IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c; REFRESH MATERIALIZED VIEW m; REASSIGN OWNED BY a TO b
;CREATE EXTENSION IF NOT EXISTS citext; CREATE SCHEMA AUTHORIZATION a; CREATE SCHEMA s CREATE TABLE t (a int);
ALTER ROLE ALL SET work_mem = '1MB'; CREATE USER MAPPING FOR a SERVER b; COPY orders TO STDOUT; COPY (SELECT 1) TO '/x';
CREATE PUBLICATION p FOR ALL TABLES; ALTER PUBLICATION p DROP TABLE orders; ALTER TYPE e RENAME VALUE 'a' TO 'b'
"""


def test_odd_statements_are_judged_all_the_same() -> None:
    found = verdict(ODD, options=JudgeOptions(level="error"))
    assert [each for each in found.refusals if "can't read" in each.rule] == []
    assert "every row of orders" in str(found.refusals)
    assert len(found.statements) >= 77


@pytest.mark.parametrize("statement", [each.strip() for each in ODD.split(";") if each.strip()])
def test_each_odd_statement_or_its_half_is_judged_alone(statement: str) -> None:
    assert shown(verdict(statement, before="")).startswith("pending: 1 migration")


@pytest.mark.parametrize(
    "text", ["", " \n", "-- only a comment", "/* a", "'", "$$", ";;;", "\x00", "é" * 50, "\ufeffSELECT 1"]
)
def test_texts_that_are_hardly_sql_are_judged(text: str) -> None:
    assert shown(verdict(text, before="")).startswith("pending: 1 migration")
