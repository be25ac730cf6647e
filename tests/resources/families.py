"""The kinds of tables that rows are counted in: each holds its rows in another way, and is called in another way."""

from environments.database.rows import count_rows
from tests.resources.computes import Session

FAMILIES = {
    "plain": ["plain"],
    "quoted": ['The "odd" 100%'],
    "partitioned": ["part_0", "part_1"],
    "child": ["child"],
    "elsewhere": ["Other Schema.rows"],
    "unlogged": ["unlogged"],
}
"""The tables that writes name, and those that hold their rows."""

NAMES = {
    "plain": "plain",
    "quoted": '"The ""odd"" 100%"',
    "partitioned": "partitioned",
    "child": "child",
    "elsewhere": '"Other Schema".rows',
    "unlogged": "unlogged",
}

SCHEMA = """
DROP SCHEMA IF EXISTS "Other Schema" CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
CREATE SCHEMA "Other Schema";
CREATE TABLE plain (id int PRIMARY KEY, v int, part int);
CREATE TABLE "The ""odd"" 100%" (id int PRIMARY KEY, v int, part int);
CREATE TABLE "Other Schema".rows (id int PRIMARY KEY, v int, part int);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, v int, part int);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (plain);
CREATE TABLE partitioned (id int, v int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE part_0 PARTITION OF partitioned FOR VALUES IN (0);
CREATE TABLE part_1 PARTITION OF partitioned FOR VALUES IN (1);
"""


def count(connection: Session, since: int, seconds: float = 20) -> dict[str, int]:
    """Return rows by table of a count that must be whole."""
    counted = count_rows(connection, since, seconds)
    assert counted.missing == ""
    return {each.table: each.rows for each in counted.tables}
