"""Pull the plug while writes wait: they go on by themselves, on whichever branch the domain leads to."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import psycopg
import pytest

from tests.e2e.conftest import FROM_DEV, World
from tests.e2e.visitors import Writers
from tests.faults.test_kill import kill_at
from tests.localcloud.neon.hosting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AGAIN = 2.0
PATIENCE = 120.0
"""Seconds until an update must have come to the moment of the kill, on a machine under load too."""
CREATED, DENIED = 201, 503
SLOW_ON_THE_DOMAIN = """
import shop from "./shop.js";
export default (request, response) => {
  const hosts = [request.headers.host, request.headers["x-forwarded-host"]];
  const wait = request.url === "/health" && hosts.includes("kill-lock.vercel.app") ? 3000 : 0;
  setTimeout(() => shop(request, response), wait);
};
"""
_HELD = "SELECT 1 FROM pg_locks WHERE locktype = 'relation' AND mode = 'ShareLock' AND granted"


def promoted(world: World, branch: str, moment: Callable[[], None]) -> tuple[Writers, float]:
    """Kill a promotion with everything in it at its `moment` while four writers write; return them and that moment."""
    branches = world.setting("prod", "branches") | {branch: FROM_DEV}
    world.edit("prod", branches=branches, serve=branch, accept={"branch": "prod-v1", "rows": "any"})
    writers, moments = Writers(world.cloud.vercel_edge_url, world.outputs("prod")["domain"]), []

    def then() -> None:
        moment()
        moments.append(time.monotonic())

    with writers.visiting():
        kill_at(world, "environments:index:Cutover", everything=True, after=then)
        time.sleep(AGAIN)
    print(f"writes went on {writers.went_on(moments[0]):.2f} s after the kill; answers {dict(writers.answers)}")
    return writers, moments[0]


def lost(world: World, writers: Writers) -> list[tuple[str, int]]:
    """Return the acknowledged orders that are not on the branch that acknowledged them."""
    kept = {
        branch: {row[0] for row in world.sql("prod", key, "SELECT id FROM orders")}
        for key, branch in world.outputs("prod")["branches"].items()
    }
    return [written for written in writers.acknowledged if written[1] not in kept[written[0]]]


def test_after_a_kill_while_writes_wait_they_go_on_by_themselves(world: World) -> None:
    killed_under_the_lock_before_the_domain_moved_writes_go_on_where_they_were(world)
    killed_after_the_domain_moved_and_before_the_commit_writes_go_on_on_both_branches(world)


def killed_under_the_lock_before_the_domain_moved_writes_go_on_where_they_were(world: World) -> None:
    world.sql("prod", "prod-v1", "CREATE TABLE ballast AS SELECT n FROM generate_series(1, 3000000) AS n")
    left = world.outputs("prod")["branches"]["prod-v1"]
    with psycopg.connect(world.owner_url("prod", "prod-v1"), autocommit=True) as watching:

        def held() -> None:
            wait_until(lambda: watching.execute(_HELD).fetchone() is not None, PATIENCE, every=0.005)

        writers, killed = promoted(world, "prod-v2", held)
    assert writers.went_on(killed) < AGAIN
    assert set(writers.answers) == {"201"}, "a pause, and no refusal"
    assert {branch for branch, _ in writers.acknowledged} == {left}
    assert world.health(world.outputs("prod")["domain"])["branch"] == left
    world.environments("recover", "-s", "prod")
    world.up("prod")
    assert world.serving()["branch"] == "prod-v2"
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    assert lost(world, writers) == []
    world.edit("prod", serve="prod-v1", accept={"branch": "prod-v2", "rows": "any"})
    world.up("prod")


def killed_after_the_domain_moved_and_before_the_commit_writes_go_on_on_both_branches(world: World) -> None:
    api = world.folder / "app" / "api"
    (api / "shop.js").write_text((api / "index.js").read_text())
    (api / "index.js").write_text(SLOW_ON_THE_DOMAIN)
    world.sql("prod", "prod-v1", "DROP TABLE IF EXISTS ballast")
    old_host = world.deployed_on("prod-v1")
    alias = f"{world.cloud.vercel_api_url}/v4/aliases/{world.outputs('prod')['domain']}"
    headers = {"Authorization": f"Bearer {world.cloud.vercel_api_token}"}

    with httpx.Client(headers=headers) as vercel:
        before = vercel.get(alias).raise_for_status().json()["deploymentId"]

        def moved() -> None:
            wait_until(lambda: vercel.get(alias).raise_for_status().json()["deploymentId"] != before, PATIENCE)
            time.sleep(0.3)

        writers, killed = promoted(world, "prod-v3", moved)
    assert writers.went_on(killed) < AGAIN
    # Those that waited on the branch that was left went through when the lock ended.
    assert set(writers.answers) == {"201"}
    assert len({branch for branch, _ in writers.acknowledged}) == 2
    assert world.post("/orders", old_host) == CREATED, "no fence was committed"
    world.environments("recover", "-s", "prod")
    said = world.up("prod")
    assert "prod-v1 is read-only now" in said
    assert world.serving()["branch"] == "prod-v3"
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    assert world.post("/orders", old_host) == DENIED
    assert lost(world, writers) == []
    world.up("prod", "--expect-no-changes")
