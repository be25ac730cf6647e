"""Each step of a cutover fails in its turn: what was done before it is undone, and the next up goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import psycopg
import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World
from tests.e2e.visitors import Writers
from tests.localcloud.neon.hosting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DOMAIN = "undo.vercel.app"
SICK_ON_THE_DOMAIN = """
import shop from "./shop.js";
export default (request, response) => {
  const hosts = [request.headers.host, request.headers["x-forwarded-host"]];
  if (request.url === "/health" && hosts.includes("undo.vercel.app")) {
    response.statusCode = 500;
    return response.end();
  }
  return shop(request, response);
};
"""


def failing(world: World) -> str:
    with pytest.raises(CommandError) as failed:
        world.up("prod")
    return " ".join(str(failed.value).split())


def add(world: World, branch: str) -> None:
    world.edit("prod", branches=world.setting("prod", "branches") | {branch: FROM_DEV}, serve=branch)


def takes_writes(world: World, branch: str) -> None:
    assert world.serving()["branch"] == branch
    assert world.post("/orders", DOMAIN) == 201


def test_whichever_step_of_a_cutover_fails_it_is_undone_and_the_next_up_goes_on(world: World) -> None:
    an_app_that_is_sick_on_the_domain_alone_loses_it_again_and_is_never_promoted_a_second_time(world)
    one_row_more_than_was_accepted_is_noticed_behind_the_fence_and_everything_is_undone(world)
    a_fence_that_waited_is_raised_by_the_next_up_and_never_on_what_serves(world)
    a_rotation_that_failed_can_be_taken_back_and_the_app_never_loses_its_login(world)
    a_branch_whose_compute_is_gone_can_be_left_if_any_number_of_rows_is_accepted(world)
    a_domain_that_somebody_elses_deployment_has_is_not_taken_without_a_word(world)


def an_app_that_is_sick_on_the_domain_alone_loses_it_again_and_is_never_promoted_a_second_time(
    world: World,
) -> None:
    api = world.folder / "app" / "api"
    healthy = (api / "index.js").read_text()
    (api / "shop.js").write_text(healthy)
    (api / "index.js").write_text(SICK_ON_THE_DOMAIN)
    add(world, "sick")
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"})
    writers = Writers(world.cloud.vercel_edge_url, DOMAIN)
    with writers.visiting():
        said = failing(world)
    assert "answers status 500, expected status 200. Production is as it was." in said
    told = re.search(r"Visitors wrote ([\d,]+) rows", said)
    assert told
    branches = world.outputs("dev")["branches"] | world_branches(world)
    on_sick = [order for branch, order in writers.acknowledged if branch == branches["sick"]]
    assert int(told[1].replace(",", "")) == 2 * len(on_sick) > 0, "an order and its item, for each one"
    (api / "index.js").write_text(healthy)
    (api / "shop.js").unlink()
    takes_writes(world, "prod-v1")
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    takes_writes(world, "prod-v1")

    world.edit("prod", serve="sick")
    world.up("prod")
    takes_writes(world, "sick")
    world.edit("prod", serve="prod-v1", accept={"branch": "sick", "rows": "any"})
    world.up("prod")
    takes_writes(world, "prod-v1")


def one_row_more_than_was_accepted_is_noticed_behind_the_fence_and_everything_is_undone(world: World) -> None:
    add(world, "prod-v2")
    world.edit("prod", accept=None, safety={"rows_left_behind": 1_000_000})
    world.preview("prod")
    count = re.search(r"([\d,]+) rows", world.preview("prod"))
    assert count
    # Enough for what is there and for a few more, but not for what four writers add until the fence is up.
    world.edit("prod", safety={"rows_left_behind": int(count[1].replace(",", "")) + 20})
    with Writers(world.cloud.vercel_edge_url, DOMAIN).visiting():
        said = failing(world)
    assert "would be left behind on it" in said
    takes_writes(world, "prod-v1")
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"}, safety=None)
    world.up("prod")
    takes_writes(world, "prod-v2")


def a_fence_that_waited_is_raised_by_the_next_up_and_never_on_what_serves(world: World) -> None:
    world.edit("prod", safety={"fence": "after"}, accept={"branch": "prod-v2", "rows": "any"}, serve="prod-v1")
    with sneaking_into(world, "prod-v2", once_open="prod-v1"):
        assert "the move is not finished: app_prod_1 could write in spite of the fence: public.sneak()" in world.up(
            "prod"
        )
    takes_writes(world, "prod-v1")
    left = world.deployed_on("prod-v2")
    assert world.post("/orders", left) == 201, "the fence could not be raised yet"
    world.sql("prod", "prod-v2", "DROP FUNCTION sneak()")
    assert "prod-v2 is read-only now" in world.up("prod")
    assert world.post("/orders", left) == 503
    world.up("prod", "--expect-no-changes")

    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"}, serve="prod-v2")
    with sneaking_into(world, "prod-v1", once_open="prod-v2"):
        assert "the move is not finished" in world.up("prod")
    world.sql("prod", "prod-v1", "DROP FUNCTION sneak()")
    world.edit("prod", accept={"branch": "prod-v2", "rows": "any"}, serve="prod-v1", safety=None)
    world.up("prod")
    takes_writes(world, "prod-v1")


@contextmanager
def sneaking_into(world: World, branch: str, *, once_open: str) -> Iterator[None]:
    """Make a function that gets around the fence of `branch`, in the middle of a move: once the other one is open."""
    sneak = "CREATE FUNCTION sneak() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT'"

    opens, leaves = world.owner_url("prod", once_open), world.owner_url("prod", branch)

    def is_open() -> bool:
        """Ask in a session of its own: the compute of the branch that opens restarts when it grows."""
        with suppress(psycopg.OperationalError), psycopg.connect(opens, autocommit=True) as watch:
            found = watch.execute("SELECT has_table_privilege('app_prod_1', 'orders', 'INSERT')").fetchall()
            return found == [(True,)]
        return False

    def make() -> None:
        with psycopg.connect(leaves, autocommit=True) as owner:
            wait_until(is_open, 60)
            owner.execute(sneak)

    with ThreadPoolExecutor(1) as threads:
        making = threads.submit(make)
        yield
        making.result()


def a_rotation_that_failed_can_be_taken_back_and_the_app_never_loses_its_login(world: World) -> None:
    handler = world.folder / "app" / "api" / "index.js"
    healthy = handler.read_text()
    handler.write_text("export default (request, response) => { response.statusCode = 500; response.end(); };\n")
    world.edit("prod", credentials=2)
    failing(world)
    takes_writes(world, "prod-v1")
    world.edit("prod", credentials=3)
    assert "generation 2 of its login never served" in failing(world)
    takes_writes(world, "prod-v1")
    world.edit("prod", credentials=1)
    failing(world)
    takes_writes(world, "prod-v1")
    handler.write_text(healthy)
    world.up("prod")
    takes_writes(world, "prod-v1")
    with psycopg.connect(world.app_url("prod", "prod-v1")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("app_prod_1",)


def a_branch_whose_compute_is_gone_can_be_left_if_any_number_of_rows_is_accepted(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    base = f"{world.cloud.neon_api_host}/projects/{world.outputs('prod')['projects']['neon']}"
    branch = world_branches(world)["prod-v1"]
    (compute,) = httpx.get(f"{base}/branches/{branch}/endpoints", headers=headers).json()["endpoints"]
    httpx.delete(f"{base}/endpoints/{compute['id']}", headers=headers).raise_for_status()
    world.edit("prod", accept=None, serve="prod-v2")
    assert "could not be counted in full" in failing(world)
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"})
    with pytest.raises(CommandError):
        world.up("prod")  # the pointer moves; what is gone can't shrink
    takes_writes(world, "prod-v2")
    world.environments("recover", "-s", "prod")
    world.up("prod")
    takes_writes(world, "prod-v2")
    world.up("prod", "--expect-no-changes")


def a_domain_that_somebody_elses_deployment_has_is_not_taken_without_a_word(world: World) -> None:
    world.forget("environments:index:Cutover::served")
    world.edit("prod", serve="sick", accept=None)
    assert "the rows that visitors wrote to it would be left behind, and how many" in failing(world)


def world_branches(world: World) -> dict[str, str]:
    """Return the ids of production's branches by their names, as Neon has them."""
    project = world.outputs("dev")["projects"]["neon"]
    headers = {"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    answer = httpx.get(f"{world.cloud.neon_api_host}/projects/{project}/branches", headers=headers)
    return {found["name"]: found["id"] for found in answer.raise_for_status().json()["branches"]}
