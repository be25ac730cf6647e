"""A promotion that was killed in its cutover is given up: the pointer goes back, and no row is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World
from tests.faults.test_kill import kill_at, neon

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CREATED = 201


@pytest.mark.parametrize("moment", [0.05, 0.3])
def test_a_promotion_that_was_killed_at_its_cutover_can_be_given_up(world: World, moment: float) -> None:
    before, branch = world.serving(), f"given-up-{round(1000 * moment)}"
    branches = world.setting("prod", "branches") | {branch: FROM_DEV}
    world.edit("prod", branches=branches, serve=branch, accept={"branch": before["branch"], "rows": "any"})
    kill_at(world, "environments:index:Cutover", everything=True, after=moment)
    domain = "given-up.vercel.app"
    assert world.health(domain)["ok"]
    moved = world.post("/orders", domain) == CREATED and world.health(domain)["branch"] != before_id(world, before)

    print(f"killed {moment} s into the cutover: the domain {'had moved' if moved else 'had not moved'}")
    world.edit("prod", serve=before["branch"], accept=None)
    world.environments("recover", "-s", "prod")
    if moved:
        with pytest.raises(CommandError, match=rf"2 rows \(order_items 1, orders 1\) were written to {branch}"):
            world.up("prod")
        world.edit("prod", accept={"branch": branch, "rows": 2})
    world.up("prod")
    assert world.serving()["branch"] == before["branch"]
    assert world.post("/orders", domain) == CREATED, "the branch that was to be left takes writes again"
    world.up("prod", "--expect-no-changes")


def before_id(world: World, before: dict[str, Any]) -> str:
    return next(str(found["id"]) for found in neon(world, "branches") if found["name"] == before["branch"])
