"""Two things at once: two updates, an edit while one runs, a plan that is out of date, dev and production together."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.e2e.by_hand import branches, in_neon
from tests.e2e.conftest import AS_PRODUCTION, FROM_DEV, World
from tests.e2e.visitors import Visitors, Writers
from tests.faults.test_kill import start, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CREATED = 201
UP_SECONDS = 240


def promotion(world: World, branch: str) -> None:
    """Edit production's stack file so that the next update serves a new `branch`, whatever is left behind."""
    served = world.serving()["branch"]
    added = world.setting("prod", "branches") | {branch: FROM_DEV}
    world.edit("prod", branches=added, serve=branch, accept={"branch": served, "rows": "any"})


def ended(engine: subprocess.Popen[str]) -> tuple[int, str]:
    said = engine.communicate(timeout=UP_SECONDS)[0]
    return engine.returncode, " ".join(said.split())


def is_whole(world: World, branch: str) -> None:
    """`branch` serves and takes writes, and nothing is there twice."""
    assert world.serving()["branch"] == branch
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    names = [found["name"] for found in in_neon(world, "GET", "/branches")["branches"]]
    assert len(names) == len(set(names))
    computes = [found["branch_id"] for found in in_neon(world, "GET", "/endpoints")["endpoints"]]
    assert len(computes) == len(set(computes))
    world.up("prod", "--expect-no-changes")


def kept(world: World, writers: Writers) -> bool:
    """Whether each acknowledged order is on the branch that acknowledged it."""
    ids = world.outputs("prod")["branches"].items()
    there = {branch: {row[0] for row in world.sql("prod", key, "SELECT id FROM orders")} for key, branch in ids}
    return all(order in there[branch] for branch, order in writers.acknowledged)


def visitors(world: World) -> tuple[Visitors, Writers]:
    edge, domain = world.cloud.vercel_edge_url, world.outputs("prod")["domain"]
    return Visitors(edge, domain), Writers(edge, domain, pause=0.02)


def test_of_two_updates_at_once_one_works_and_the_other_is_refused_before_it_does_anything(world: World) -> None:
    promotion(world, "at-once")
    readers, writers = visitors(world)
    with readers.visiting(), writers.visiting():
        first = start(world)
        wait_for(first, "neon:index:Branch at-once creating")
        status, said = ended(start(world))
        assert status != 0
        assert "the stack is currently locked by 1 lock(s)" in said
        assert ended(first)[0] == 0
    assert set(readers.answers) == {"200"}
    assert kept(world, writers)
    is_whole(world, "at-once")


def test_an_edit_while_an_update_runs_is_carried_out_by_the_next_one(world: World) -> None:
    before = world.serving()["branch"]
    promotion(world, "edited")
    readers, writers = visitors(world)
    with readers.visiting(), writers.visiting():
        running = start(world)
        wait_for(running, "neon:index:Branch edited creating")
        world.edit("prod", serve=before, accept={"branch": "edited", "rows": "any"})
        assert ended(running)[0] == 0
        assert world.serving()["branch"] == "edited", "the update does what it was started with"
        world.up("prod")
    assert set(readers.answers) == {"200"}
    assert kept(world, writers)
    is_whole(world, before)


def test_a_plan_that_is_out_of_date_moves_nothing(world: World) -> None:
    promotion(world, "planned")
    world.run(*_PREVIEW, "--save-plan", "plan.json", env=_EXPERIMENTAL)
    reviewed: dict[str, Any] = {key: world.setting("prod", key) for key in ("branches", "serve", "accept")}
    world.edit("prod", branches={key: plan for key, plan in reviewed["branches"].items() if key != "planned"})
    promotion(world, "meanwhile")
    world.up("prod")
    both = world.setting("prod", "branches") | {"planned": FROM_DEV}
    world.edit("prod", branches=both, serve=reviewed["serve"], accept=reviewed["accept"])

    readers, writers = visitors(world)
    with readers.visiting(), writers.visiting():
        stale = subprocess.run(
            (*_UP, "--plan", "plan.json"),
            cwd=world.folder,
            env=world.environment | _EXPERIMENTAL,
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_SECONDS,
        )
    said = " ".join((stale.stdout + stale.stderr).split())
    assert stale.returncode != 0
    assert "would be left behind on it" in said or "violates plan" in said or "resource plan" in said, said[-3000:]
    assert set(readers.answers) == {"200"}
    assert world.serving()["branch"] == "meanwhile"
    assert kept(world, writers)
    world.edit("prod", accept={"branch": "meanwhile", "rows": "any"})
    world.up("prod")
    is_whole(world, "planned")


def test_dev_and_production_are_updated_at_the_same_time(world: World) -> None:
    promotion(world, "beside-dev")
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}, "next": {}})
    readers, writers = visitors(world)
    with readers.visiting(), writers.visiting():
        together = [start(world, stack) for stack in ("prod", "dev")]
        results = [ended(engine) for engine in together]
    assert [status for status, _ in results] == [0, 0], results
    assert set(readers.answers) == {"200"}
    assert kept(world, writers)
    assert {"dev", "next", "beside-dev"} <= set(branches(world))
    world.up("dev", "--expect-no-changes")
    is_whole(world, "beside-dev")


_EXPERIMENTAL = {"PULUMI_EXPERIMENTAL": "true"}
_PREVIEW = ("pulumi", "preview", "-s", "prod", "--non-interactive", "--color=never")
_UP = ("pulumi", "up", "-s", "prod", "--yes", "--skip-preview", "--non-interactive", "--color=never")
