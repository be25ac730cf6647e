"""A handful of the seeded histories that `make faults` runs, and that their judge finds what it is there for."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.e2e.existing import ask_neon
from tests.faults.histories.history import BrokenPromiseError, History, Shop
from tests.faults.histories.shop import shop as open_shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEEDS = (2, 4, 9)
"""With kills, lost replies, a swap, rows that are refused to be left, and a branch that is retired."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("histories") / "cloud") as there:
        yield there


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_edited_and_killed_every_promise_holds(shop: Shop, seed: int) -> None:
    history = History(shop, seed)
    told = history.run()
    print(told)
    assert told.acknowledged > 0
    assert told.faults > 0
    history.remove()


def test_the_judge_finds_a_write_that_is_lost_and_a_branch_that_is_gone(shop: Shop) -> None:
    history = History(shop, 2, steps=1)
    history.run()
    assert history.writers
    branch, order = history.writers.acknowledged[-1]
    of = f"branch_id={branch}&database_name=neondb&role_name=neondb_owner"
    uri = ask_neon(shop.cloud, "GET", f"/projects/{shop.neon}/connection_uri?{of}")["uri"]
    with psycopg.connect(uri) as connection:
        connection.execute("DELETE FROM order_items WHERE order_id = %s", (order,))
        connection.execute("DELETE FROM orders WHERE id = %s", (order,))
    with pytest.raises(BrokenPromiseError, match="1 acknowledged writes are not on"):
        history._nothing_is_lost()

    history.must_stay.add(history._neon("GET", "/branches")["branches"][0]["id"].replace("br-", "br-gone-"))
    with pytest.raises(BrokenPromiseError, match="branches are gone that nobody retired"):
        history._is_as_wanted()
    history.remove()
