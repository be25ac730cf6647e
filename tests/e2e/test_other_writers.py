"""Writers besides the app: a second database, a login made by hand, a second project on the same branch."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import psycopg
import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REFUSED = "after the move {} could still write to prod-v1, where nobody would see it: "


def test_production_leaves_a_branch_only_when_nobody_else_can_write_to_it(world: World) -> None:
    world.edit("prod", branches=world.setting("prod", "branches") | {"prod-v2": FROM_DEV}, serve="prod-v2")
    rows_in_a_second_database_are_counted(world)
    the_apps_login_may_not_write_there_nor_a_login_made_by_hand_anywhere(world)
    what_is_listed_goes_on_writing_and_is_told_after_the_move(world)


def rows_in_a_second_database_are_counted(world: World) -> None:
    world.sql("prod", "prod-v1", "CREATE DATABASE reports")
    in_reports(world, "CREATE TABLE events (n int); INSERT INTO events SELECT generate_series(1, 500)")
    said = world.refused("preview", "-s", "prod")
    assert "500 rows (reports: events 500) were written to prod-v1 since it began and would be left behind" in said
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"})


def the_apps_login_may_not_write_there_nor_a_login_made_by_hand_anywhere(world: World) -> None:
    in_reports(world, "GRANT INSERT ON events TO app_prod_1")
    world.sql("prod", "prod-v1", "CREATE ROLE etl LOGIN PASSWORD 'of the etl'; GRANT SELECT, INSERT ON orders TO etl")
    world.sql("prod", "prod-v1", "GRANT USAGE ON SCHEMA public TO etl; GRANT USAGE ON SEQUENCE orders_id_seq TO etl")
    said = world.refused("preview", "-s", "prod")
    assert REFUSED.format("etl, database reports") in said
    assert 'etl (a login that may write to public.orders; ALTER ROLE "etl" NOLOGIN, or take these rights)' in said
    assert "database reports (in database reports: app_prod_1 may write to public.events; REVOKE INSERT" in said
    assert "safety: {other_writers: [etl, database reports]}" in said
    with pytest.raises(CommandError, match="etl"):
        world.pulumi("up", "--yes", "--skip-preview", "-s", "prod")
    assert world.serving()["branch"] == "prod-v1"


def what_is_listed_goes_on_writing_and_is_told_after_the_move(world: World) -> None:
    in_reports(world, "REVOKE INSERT ON events FROM app_prod_1")
    world.edit("prod", safety={"other_writers": ["etl"]})
    shown = " ".join(world.preview("prod").split())
    assert "writers etl may go on writing to prod-v1 (safety.other_writers)" in shown
    with etl_at_work(world) as acknowledged:
        said = " ".join(world.up("prod").split())
    assert world.serving()["branch"] == "prod-v2"
    assert re.search(r"[1-9]\d* rows \(orders [1-9]\d*\) were written to prod-v1 after its writes had stopped", said)
    kept = {id_ for (id_,) in world.sql("prod", "prod-v1", "SELECT id FROM orders")}
    assert kept >= set(acknowledged), "no acknowledged write is lost"


@contextmanager
def etl_at_work(world: World) -> Iterator[list[int]]:
    """Write as the login that was made by hand, until the block ends."""
    url = httpx.URL(world.owner_url("prod", "prod-v1")).copy_with(username="etl", password="of the etl")
    acknowledged: list[int] = []
    stopped = threading.Event()

    def write() -> None:
        while not stopped.is_set():
            # The compute of the branch that was left restarts when it shrinks.
            with suppress(psycopg.OperationalError), psycopg.connect(str(url), autocommit=True) as etl:
                while not stopped.wait(0.05):
                    [(id_,)] = etl.execute("INSERT INTO orders (customer_id) VALUES (1) RETURNING id").fetchall()
                    acknowledged.append(id_)

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        try:
            yield acknowledged
        finally:
            stopped.set()
        writing.result()


def in_reports(world: World, statements: str) -> None:
    url: Any = httpx.URL(world.owner_url("prod", "prod-v1")).copy_with(path="/reports")
    with psycopg.connect(str(url), autocommit=True) as connection:
        connection.execute(statements.encode())
