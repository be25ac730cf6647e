"""Work on a table's rows is a warning where the same transaction keeps visitors out of the table."""

import pytest

from environments.migrations.plain import PlainSql
from tests.migrations.folders import verdict

BEFORE = "CREATE TABLE orders (id int PRIMARY KEY, note text); CREATE TABLE items (id int PRIMARY KEY);"
ADD = "ALTER TABLE orders ADD COLUMN total numeric"


@pytest.mark.parametrize(
    "work",
    [
        "UPDATE orders SET total = 0 WHERE id < 9",
        "DELETE FROM orders WHERE id < 9",
        "CREATE INDEX totals ON orders (total)",
        "DO $$ BEGIN UPDATE orders SET total = 0 WHERE id < 9; END $$",
    ],
)
def test_it_is_a_warning_about_the_first_statement_that_works_on_the_rows(work: str) -> None:
    [found] = verdict(ADD, work, "UPDATE orders SET total = 1 WHERE id < 3", before=BEFORE).warnings
    assert found.startswith("0002_m.sql:1 ")
    assert "in which 0001_m.sql:1 locks readers and writers out of orders" in found
    assert found.endswith("bring it in a pulumi up of its own")


@pytest.mark.parametrize(
    "pending",
    [
        (ADD, "CREATE INDEX notes ON items (id)"),
        ("UPDATE orders SET note = 'x' WHERE id < 9", ADD),
        ("CREATE TABLE fresh (id int)", "ALTER TABLE fresh ADD COLUMN n int", "CREATE INDEX fresh_n ON fresh (n)"),
        ("ALTER TABLE orders ALTER COLUMN note SET STATISTICS 200", "CREATE INDEX notes ON orders (note)"),
    ],
)
def test_it_is_no_warning_where_nobody_waits_for_it(pending: tuple[str, ...]) -> None:
    assert verdict(*pending, before=BEFORE).warnings == ()


def test_files_with_a_transaction_each_keep_nobody_out() -> None:
    assert verdict(ADD, "UPDATE orders SET total = 0 WHERE id < 9", before=BEFORE, tool=PlainSql()).warnings == ()
