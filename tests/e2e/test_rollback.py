"""The way back from every strategy: one edit, the app and its database as the pair that they were, nothing built."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.conftest import AS_PRODUCTION, DEVS, World

pytestmark = pytest.mark.e2e

CREATED = 201


@pytest.fixture(scope="module")
def pair(world: World) -> dict[str, Any]:
    """What served first: prod-v1 with the app's first look, left for prod-v2 with its second, both with orders."""
    domain = world.outputs("prod")["domain"]
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}})
    world.up("dev")
    assert world.post("/orders", domain) == CREATED
    first = world.serving() | {"deployment": world.serving_deployment()}
    handler = world.folder / "app" / "api" / "index.js"
    handler.write_text(handler.read_text().replace("ok: true,", "ok: true, look: 2,"))
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"})
    world.promote("prod-v2")
    assert world.serving()["look"] == 2
    assert world.post("/orders", domain) == CREATED
    return first


def test_the_way_back_leads_from_every_strategy_to_the_pair_that_served_before(
    world: World, pair: dict[str, Any]
) -> None:
    for strategy, serves in (
        ("clone-and-promote", "prod-v2"),
        ("pointer-swap", DEVS),
        ("standard-migration", "prod-v2"),
    ):
        one_edit_brings_the_app_and_its_database_back_as_they_were(world, pair, strategy, serves)
    where_the_older_login_is_dead_the_way_back_is_built(world, pair)


def one_edit_brings_the_app_and_its_database_back_as_they_were(
    world: World, pair: dict[str, Any], strategy: str, serves: Any
) -> None:
    world.edit("prod", serve=serves, strategy={"kind": strategy}, accept={"branch": "prod-v1", "rows": "any"})
    world.up("prod")
    left = "dev/dev" if serves == DEVS else "prod-v2"
    world.edit("prod", accept={"branch": left, "rows": "any"})
    built = world.deployments()

    world.edit("prod", serve="prod-v1")
    began = time.monotonic()
    world.up("prod")
    print(f"rollback from {strategy}: {time.monotonic() - began:.2f} s")

    assert world.serving() | {"deployment": world.serving_deployment()} == pair
    assert world.deployments() == built
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    pair["rows"] = world.serving()["rows"]
    world.up("prod", "--expect-no-changes")


def where_the_older_login_is_dead_the_way_back_is_built(world: World, pair: dict[str, Any]) -> None:
    world.edit("prod", serve="prod-v2", strategy={"kind": "clone-and-promote"})
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"})
    world.up("prod")
    world.edit("prod", credentials=2, accept={"branch": "prod-v2", "rows": "any"})
    world.up("prod")
    built = world.deployments()
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    assert len(world.deployments()) == len(built) + 1
    assert world.serving()["branch"] == "prod-v1"
    assert world.serving()["rows"] == pair["rows"]
    assert world.serving_deployment() != pair["deployment"]
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
