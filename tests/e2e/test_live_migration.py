"""Visitors and a migration of a million rows at the same time: what they notice, and what the rehearsal foretold."""

from __future__ import annotations

import time

import pytest

from tests.e2e.conftest import World
from tests.e2e.migrating import LIVE, STANDARD, add_migration, install_packages
from tests.e2e.visitors import Visitors, Writers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROWS = 1_000_000
BATCHES = 4
READS_PER_SECOND = 10
APP_GIVES_UP = 5
"""Seconds after which the app ends a statement of its own."""

BREAKPOINT = "\n--> statement-breakpoint\n"
EXPAND = 'ALTER TABLE "orders" ADD COLUMN "reference" text;'
BACKFILL = BREAKPOINT.join(
    f'UPDATE "orders" SET "reference" = \'o-\' || id WHERE id BETWEEN {first + 1} AND {first + ROWS // BATCHES};'  # noqa: S608
    for first in range(0, ROWS, ROWS // BATCHES)
)


@pytest.fixture
def large(world: World) -> World:
    """Production with a million orders."""
    install_packages(world)
    fill = "INSERT INTO orders (customer_id) SELECT (SELECT min(id) FROM customers) FROM generate_series(1, {})"
    world.sql("prod", "prod-v1", fill.format(ROWS))
    world.sql("prod", "prod-v1", "VACUUM ANALYZE orders")
    world.edit("prod", strategy=STANDARD, safety=LIVE)
    world.up("prod")
    return world


def test_visitors_of_a_table_of_a_million_rows_lose_nothing_and_wait_for_a_moment(large: World) -> None:
    edge, domain = large.cloud.vercel_edge_url, large.outputs("prod")["domain"]
    readers = Visitors(edge, domain, path="/orders", per_second=READS_PER_SECOND)
    writers = Writers(edge, domain, pause=0.05)
    with readers.visiting(), writers.visiting():
        time.sleep(2)
        quiet = slowest(readers), slowest(writers)
        add_migration(large, "0002_reference", EXPAND)
        expand = migrated(large, readers, writers)
        add_migration(large, "0003_backfill", BACKFILL)
        backfill = migrated(large, readers, writers)

    print(f"\nbefore any migration: slowest read {quiet[0]:.2f} s, slowest write {quiet[1]:.2f} s")
    for name, found in (("add a column", expand), ("backfill", backfill)):
        print(f"{name}: {found}")
    print(f"answers to reads {dict(readers.answers)}, to writes {dict(writers.answers)}")

    assert set(readers.answers) == {"200"}, readers.answers
    assert set(writers.answers) == {"201"}, writers.answers
    ids = {order for _, order in writers.acknowledged}
    there = {found[0] for found in large.sql("prod", "prod-v1", f"SELECT id FROM orders WHERE id > {ROWS}")}  # noqa: S608
    lost = ids - there
    assert not lost, "every acknowledged order is there"
    assert writers.answers["201"] == len(ids)
    missing = f"SELECT count(*) FROM orders WHERE reference IS NULL AND id <= {ROWS}"  # noqa: S608
    assert large.sql("prod", "prod-v1", missing) == [(0,)]
    assert expand["locked"] < 1
    assert backfill["locked"] == 0, "a column that is there already needs no lock that readers wait for"
    assert max(expand["slowest read"], expand["slowest write"]) < APP_GIVES_UP


def migrated(world: World, readers: Visitors, writers: Writers) -> dict[str, float]:
    """Run pulumi up, and return in seconds what the outputs and the visitors say of it."""
    written = len(writers.acknowledged)
    readers.seconds.clear()
    writers.seconds.clear()
    began = time.monotonic()
    world.up("prod")
    took = time.monotonic() - began
    slow = slowest(readers), slowest(writers)
    outputs = world.resource("prod", "environments:index:Migration::served")["outputs"]
    rehearsed, ran = outputs["receipt"], outputs["ran"]
    locks = {lock["table"]: lock for lock in rehearsed["locks"] if lock["mode"] == "AccessExclusiveLock"}
    return {
        "up": round(took, 1),
        "rehearsed": rehearsed["seconds"],
        "copy made and counted": rehearsed["overhead"],
        "real run": ran["seconds"],
        "its statements": round(sum(each["seconds"] for each in ran["statements"]), 3),
        "locked": locks["orders"]["seconds"] if "orders" in locks else 0.0,
        "slowest read": round(slow[0], 2),
        "slowest write": round(slow[1], 2),
        "orders written meanwhile": len(writers.acknowledged) - written,
    }


def slowest(visitors: Visitors) -> float:
    """Return the longest that one of these visitors waited for an answer."""
    return max(visitors.seconds, default=0.0)
