"""Pull the plug while production becomes a guest on dev's branch: recovery converges, and no claim is left over."""

from __future__ import annotations

import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import AS_PRODUCTION, DEVS, World
from tests.faults.test_kill import kill_at

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CREATED = 201


@pytest.fixture(scope="module")
def large(world: World) -> World:
    """Production on prod-v1, and a dev that is large enough to be pointed to."""
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}})
    world.up("dev")
    world.edit("prod", strategy={"kind": "pointer-swap"})
    return world


def test_a_swap_that_was_killed_converges_or_can_be_given_up(large: World) -> None:
    for step in ("environments:index:ExternalLogin", "environments:index:Ready", "environments:index:Cutover"):
        a_swap_that_was_killed_converges_by_the_documented_recovery(large, step)
    for moment in (0.05, 0.3):
        a_swap_that_was_killed_at_its_cutover_can_be_given_up(large, moment)


def a_swap_that_was_killed_converges_by_the_documented_recovery(large: World, step: str) -> None:
    world = large
    world.edit("prod", serve=DEVS, accept={"branch": "prod-v1", "rows": "any"})
    kill_at(world, step, everything=True)
    domain = world.outputs("prod")["domain"]
    assert world.health(domain)["ok"], "whatever was killed, the app answers"
    assert "Recovered" in world.environments("recover", "-s", "prod")
    world.up("prod")
    assert world.health(domain)["branch"] == world.outputs("dev")["branches"]["dev"]
    assert world.post("/orders", domain) == CREATED
    assert claims(world) == 1
    world.up("prod", "--expect-no-changes")
    back(world)


def a_swap_that_was_killed_at_its_cutover_can_be_given_up(large: World, moment: float) -> None:
    world = large
    world.edit("prod", serve=DEVS, accept={"branch": "prod-v1", "rows": "any"})
    kill_at(world, "environments:index:Cutover", everything=True, after=moment)
    world.environments("recover", "-s", "prod")
    back(world)
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED, "prod-v1 takes writes"


def back(world: World) -> None:
    """Go back to prod-v1, after which nothing keeps dev from shrinking its branch."""
    for left in ("dev/dev", "dev"):
        world.edit("prod", serve="prod-v1", accept={"branch": left, "rows": "any"})
        try:
            world.up("prod")
        except CommandError:
            continue
        break
    assert world.serving()["branch"] == "prod-v1"
    assert claims(world) == 0
    world.up("prod", "--expect-no-changes")


def claims(world: World) -> int:
    """Count the roles on dev's branch that say that production serves from it."""
    told = "SELECT count(*) FROM pg_roles WHERE shobj_description(oid, 'pg_authid') LIKE '%\"stack\": \"prod\"%'"
    return int(world.sql("dev", "dev", told)[0][0])
