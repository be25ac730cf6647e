"""We read the syntax that is new in Postgres 18, and judge what it does."""

import pytest

from environments.migrations.checks.judge import JudgeOptions
from environments.migrations.sql import nodes
from tests.migrations import examples
from tests.migrations.folders import refused, verdict

STRICT = JudgeOptions(level="error")


@pytest.mark.parametrize(("statement", "kind"), examples.POSTGRES_18.items())
def test_we_read_it_and_have_nothing_against_it(statement: str, kind: str) -> None:
    found = verdict(statement, before=examples.SETUP_18, options=STRICT)
    assert [each.kind for each in found.statements] == [kind]
    assert (found.refusals, found.warnings) == ((), ())


def part(statement: str, kind: str) -> dict[str, object]:
    """The only node of a kind in the tree of a statement."""
    [found] = nodes(verdict(statement, before=examples.SETUP_18).statements[0].node, kind)
    return dict(found)


def test_the_tree_shows_what_is_new() -> None:
    unenforced = part("ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0) NOT ENFORCED", "Constraint")
    assert "is_enforced" not in unenforced
    assert part("ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0)", "Constraint")["is_enforced"] is True
    virtual = "ALTER TABLE orders ADD v int GENERATED ALWAYS AS (id * 2) {}"
    kinds = [part(virtual.format(each), "Constraint")["generated_kind"] for each in ("VIRTUAL", "", "STORED")]
    assert kinds == ["v", "v", "s"]
    period = "CREATE TABLE x (id int4range, at daterange, PRIMARY KEY (id, at{}))"
    assert part(period.format(" WITHOUT OVERLAPS"), "Constraint")["without_overlaps"] is True
    assert "without_overlaps" not in part(period.format(""), "Constraint")


def test_rows_that_a_statement_returns_are_lost_all_the_same() -> None:
    [gone] = refused("DELETE FROM orders RETURNING old.*", before=examples.SETUP_18)
    assert "takes away every row of orders" in gone
    [overwritten] = refused("UPDATE orders SET note = '' RETURNING old.note, new.note", before=examples.SETUP_18)
    assert "takes away what every row of orders had in note" in overwritten
    kept = "WITH o AS (DELETE FROM orders RETURNING WITH (OLD AS was) was.id) INSERT INTO log SELECT id FROM o"
    assert "every row of orders" in "".join(refused(kept, before=examples.SETUP_18))


def test_a_stored_column_rewrites_the_table_and_a_virtual_one_does_not() -> None:
    stored, virtual = (
        verdict(f"ALTER TABLE orders ADD v bigint GENERATED ALWAYS AS (id * 2) {each}", before=examples.SETUP_18)
        for each in ("STORED", "VIRTUAL")
    )
    assert "writes every row of orders" in stored.warnings[0]
    assert virtual.warnings == ()


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE orders ADD v bigint GENERATED ALWAYS AS (id * 2) STORED", "adding-field-with-default"),
        (
            "ALTER TABLE orders ADD v bigint GENERATED ALWAYS AS (id * 2) VIRTUAL CHECK (v > 0)",
            "adding-field-with-default",
        ),
        ("ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0)", "constraint-missing-not-valid"),
        ("ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0) ENFORCED", "constraint-missing-not-valid"),
        ("ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers", "adding-foreign-key-constraint"),
        (
            "ALTER TABLE orders ADD CHECK (id > 0) NOT ENFORCED, ADD CHECK (id > 1)",
            "constraint-missing-not-valid",
        ),
        (
            "ALTER TABLE orders ADD CHECK (id > 0) NOT ENFORCED; ALTER TABLE orders ADD CHECK (id > 1)",
            "constraint-missing-not-valid",
        ),
    ],
)
def test_we_refuse_its_look_alike_that_reads_or_writes_the_rows(statement: str, rule: str) -> None:
    found = refused(statement, before=examples.SETUP_18, options=STRICT)
    assert any(f"exclude the rule {rule}." in each for each in found)
