"""A newer Postgres, end to end: production moves to a branch in another Neon project, and back, and no row is lost."""

from __future__ import annotations

import re

import pytest

from localcloud.neon.installations import Installations
from localcloud.program import CommandError
from tests.e2e.upgrades import CREATED, Upgraded, newer, old
from tests.e2e.visitors import Writers

__all__ = ["newer", "old"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def versions(world: Upgraded, newer: str) -> dict[str, int]:
    major = "SELECT current_setting('server_version_num')::int / 10000"
    older = world.outputs("dev")["projects"]["neon"]
    return {"prod-v1": world.ask(older, "prod-v1", major)[0][0], "prod-v2": world.ask(newer, "prod-v2", major)[0][0]}


def test_production_moves_to_a_newer_postgres_and_back_and_no_row_is_lost(old: Upgraded, newer: str) -> None:
    production_moves_to_a_newer_postgres_with_what_visitors_wrote_after_the_first_copy(old, newer)
    the_way_back_counts_what_was_written_on_the_newer_one_and_nothing_else(old, newer)
    a_move_whose_copy_fails_leaves_production_as_it_was(old, newer)
    a_branch_that_cannot_be_carried_over_is_refused_in_the_preview(old)
    no_password_of_either_project_is_in_the_state(old)


def production_moves_to_a_newer_postgres_with_what_visitors_wrote_after_the_first_copy(
    old: Upgraded, newer: str
) -> None:
    domain = old.outputs("prod")["domain"]
    before = old.orders("prod", "prod-v1")
    old.sql("prod", "prod-v1", "CREATE DATABASE reports")
    old.copy_into(newer, "prod-v2", "prod-v1")
    old.edit("prod", serve="prod-v1")
    made = old.up("prod")
    assert "prod-v1 has other databases besides neondb, which stay behind on it: reports" in flat(made)
    assert re.search(r"prod-v2 is filled from prod-v1: [\d,]+ rows in \d+ tables, each compared", flat(made))
    assert old.serving()["branch"] == "prod-v1"
    assert old.ask(newer, "prod-v2", "SELECT count(*) FROM orders") == [(before,)]

    assert old.post("/orders", domain) == CREATED, "visitors go on while the copy waits"
    old.edit("prod", serve="prod-v2")
    review = flat(old.preview("prod"))
    assert "production moves from prod-v1 to prod-v2" in review
    assert "nothing: the rows of prod-v1 are carried over once more behind the fence" in review
    assert "writes pause while the rows are carried over (the first time took" in review
    writers = Writers(old.cloud.vercel_edge_url, domain)
    with writers.visiting():
        moved = flat(old.up("prod"))
    found = re.search(r"carried over behind the fence: .*? in [\d.]+ s", moved)
    paused = re.search(r"writes paused for [\d.]+ s", moved)
    assert found
    assert paused
    print(f"{found[0]}; {paused[0]}; {len(writers.acknowledged)} orders acknowledged meanwhile")

    assert old.serving()["branch"] == "prod-v2"
    assert "0 rows exist only there" in moved
    assert len({branch for branch, _ in writers.acknowledged}) == 2, "visitors wrote before and after the move"
    there = {row[0] for row in old.ask(newer, "prod-v2", "SELECT id FROM orders")}
    assert {order for _, order in writers.acknowledged} <= there, "no acknowledged order is lost"
    assert len(there) == before + 1 + len(writers.acknowledged)
    assert versions(old, newer) == {"prod-v1": next(iter(Installations.find().by_major)), "prod-v2": 18}
    old.up("prod", "--expect-no-changes")
    assert old.post("/orders", domain) == CREATED, "the sequences stand where they have to"


def the_way_back_counts_what_was_written_on_the_newer_one_and_nothing_else(old: Upgraded, newer: str) -> None:
    old.edit("prod", serve="prod-v1")
    written = old.ask(newer, "prod-v2", "SELECT count(*) FROM orders")[0][0] - old.orders("prod", "prod-v1")
    with pytest.raises(CommandError) as refused:
        old.preview("prod")
    refusal = re.search(
        r"([\d,]+) rows \(order_items ([\d,]+), orders ([\d,]+)\) were written to prod-v2", flat(str(refused.value))
    )
    assert refusal, "customers and products came with the copy and don't count"
    assert int(refusal[3].replace(",", "")) == written
    old.edit("prod", accept={"branch": "prod-v2", "rows": int(refusal[1].replace(",", ""))})
    old.up("prod")
    assert old.serving()["branch"] == "prod-v1"
    domain = old.outputs("prod")["domain"]
    assert old.post("/orders", domain) == CREATED
    old.edit("prod", serve="prod-v2", accept=None)
    with pytest.raises(CommandError, match=r"2 rows \(order_items 1, orders 1\) were written to prod-v1"):
        old.preview("prod")
    old.edit("prod", serve="prod-v1")
    old.up("prod", "--expect-no-changes")
    assert old.ask(newer, "prod-v2", "SELECT count(*) > 0 FROM orders") == [(True,)], "what has served isn't emptied"


def a_move_whose_copy_fails_leaves_production_as_it_was(old: Upgraded, newer: str) -> None:
    old.copy_into(newer, "prod-v3", "prod-v1")
    old.edit("prod", serve="prod-v1")
    old.up("prod")
    old.ask(newer, "prod-v3", "INSERT INTO customers (name, email) VALUES ('a stranger', 'a@example.com')")
    old.edit("prod", serve="prod-v3")
    with pytest.raises(CommandError) as failed:
        old.up("prod")
    assert "1 rows (customers 1) were written to" in flat(str(failed.value))
    assert "would be lost. Production is as it was" in flat(str(failed.value))
    assert old.serving()["branch"] == "prod-v1"
    assert old.post("/orders", old.outputs("prod")["domain"]) == CREATED, "it takes writes again"

    old.ask(newer, "prod-v3", "DELETE FROM customers WHERE name = 'a stranger'")
    old.up("prod")
    assert old.serving()["branch"] == "prod-v3"
    assert old.serving()["rows"]["orders"] == old.orders("prod", "prod-v1")
    old.up("prod", "--expect-no-changes")


def a_branch_that_cannot_be_carried_over_is_refused_in_the_preview(old: Upgraded) -> None:
    older = old.outputs("dev")["projects"]["neon"]
    branches = old.setting("prod", "branches")
    old.edit("prod", branches=branches | {"back": {"from": {"branch": "prod-v3"}, "project": older, "copy": "dump"}})
    with pytest.raises(CommandError) as refused:
        old.preview("prod")
    assert "branch back can't be filled from prod-v3: its Postgres is 18 and the other project's" in flat(
        str(refused.value)
    )
    old.edit("prod", branches=branches)
    old.preview("prod", "--expect-no-changes")


def no_password_of_either_project_is_in_the_state(old: Upgraded) -> None:
    assert "npg_" not in old.pulumi("stack", "export", "-s", "prod")
