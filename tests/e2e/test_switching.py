"""Switching strategies on a live environment: every ordered pair, wherever the pointer is."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.e2e.conftest import AS_PRODUCTION, DEVS, World

pytestmark = pytest.mark.e2e

STRATEGIES = {
    "clone-and-promote": {"kind": "clone-and-promote"},
    "pointer-swap": {"kind": "pointer-swap"},
    "standard-migration": {"kind": "standard-migration", "migrations": "app/drizzle"},
}
ROUND = [
    *("clone-and-promote", "pointer-swap", "clone-and-promote", "standard-migration"),
    *("pointer-swap", "standard-migration", "clone-and-promote"),
]
"""Each strategy to each other one, in one walk."""
POINTERS = {"own": "prod-v2", "devs": DEVS}


@pytest.fixture(scope="module")
def switching(world: World) -> World:
    """Production that has served prod-v1 and prod-v2, and a dev that is large enough to be pointed to."""
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}})
    world.up("dev")
    world.promote("prod-v2")
    return world


@pytest.mark.parametrize("pointer", POINTERS)
def test_a_switch_of_strategy_moves_replaces_and_deletes_nothing(switching: World, pointer: str) -> None:
    world = switching
    serve(world, pointer)
    world.edit("prod", strategy=STRATEGIES[ROUND[0]])
    world.up("prod")
    data, resources = served_data(world), ids(world)
    for before, after in itertools.pairwise(ROUND):
        world.edit("prod", strategy=STRATEGIES[after])
        steps = json.loads(world.pulumi("preview", "-s", "prod", "--json"))["changeSummary"]
        assert set(steps) <= {"same", "update"}, (before, after, steps)
        world.up("prod")
        assert served_data(world) == data, (before, after)
        assert ids(world) == resources, (before, after)


def test_the_round_goes_through_every_ordered_pair() -> None:
    assert set(itertools.pairwise(ROUND)) == set(itertools.permutations(STRATEGIES, 2))


def test_a_key_that_another_strategy_left_behind_is_a_warning(switching: World) -> None:
    switching.edit("prod", strategy={"kind": "clone-and-promote", "migrations": "app/drizzle"})
    said = switching.preview("prod")
    assert "strategy.migrations: clone-and-promote doesn't use this; another strategy left it over" in said
    assert "warning" in said


def serve(world: World, pointer: str) -> None:
    """Have production point there, by the strategy that may."""
    if world.setting("prod", "serve") != POINTERS[pointer]:
        left = {"own": "dev/dev", "devs": "prod-v2"}[pointer]
        edit: dict[str, Any] = {"serve": POINTERS[pointer], "accept": {"branch": left, "rows": "any"}}
        world.edit("prod", strategy={"kind": "pointer-swap"}, **edit)
        world.up("prod")
        world.edit("prod", accept=None)


def served_data(world: World) -> tuple[Any, ...]:
    """Return which branch answers at production's domain, by which deployment, with which rows."""
    health = world.health(world.outputs("prod")["domain"])
    return health["branch"], health["rows"], world.serving_deployment()


def ids(world: World) -> dict[str, str]:
    """Return the id of everything in Neon and Vercel that production's stack holds."""
    resources = world.state("prod")["deployment"]["resources"]
    return {found["urn"]: found["id"] for found in resources if found["type"].startswith(("neon:", "vercel:"))}
