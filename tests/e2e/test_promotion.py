"""Clone & Promote from end to end: real engine, real Postgres, a deployed app that answers."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import psycopg
import pytest

from environments.program.kept import HOOK
from localcloud.program import CommandError
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e


def test_production_moves_between_copies_of_dev(world: World) -> None:
    promotion_and_rollback_move_the_app_between_branches_that_keep_their_rows(world)
    a_branch_pinned_to_a_moment_has_no_row_that_came_later(world)


def promotion_and_rollback_move_the_app_between_branches_that_keep_their_rows(world: World) -> None:
    first = world.orders("dev", "dev")
    assert world.serving()["branch"] == "prod-v1"
    world.add_orders("dev", "dev", 1000)
    assert world.serving()["rows"]["orders"] == first, "production sees nothing of dev's new rows"

    world.promote("prod-v2")
    serving = world.serving()
    assert serving["branch"] == "prod-v2"
    assert serving["rows"]["orders"] == first + 1000 == world.orders("dev", "dev")
    assert world.orders("prod", "prod-v1") == first, "the branch that served before is as it was"

    built = len(world.deployments())
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    assert world.serving()["branch"] == "prod-v1"
    assert world.serving()["rows"]["orders"] == first
    assert len(world.deployments()) == built, "the way back builds nothing"


def a_branch_pinned_to_a_moment_has_no_row_that_came_later(world: World) -> None:
    then = world.orders("dev", "dev")
    time.sleep(1.1)
    moment = datetime.now(UTC)
    time.sleep(1.1)
    world.add_orders("dev", "dev", 7)
    pinned = {"from": {"stack": "dev", "branch": "dev"}, "at": moment.isoformat(timespec="seconds")}
    world.edit("prod", branches=world.setting("prod", "branches") | {"pinned": pinned}, serve="pinned")
    assert f"as of {moment:%Y-%m-%d %H:%M:%S} UTC" in world.preview("prod")
    world.up("prod")
    assert world.serving()["rows"]["orders"] == then
    world.up("prod", "--expect-no-changes")


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_second_up_changes_nothing(world: World, stack: str) -> None:
    world.up(stack, "--expect-no-changes")


def test_whatever_dev_does_to_itself_production_stays_as_it_is(world: World) -> None:
    what_dev_does_to_its_own_pointer_leaves_production_alone(world)
    for arguments in ((), ("--skip-preview",)):
        destroying_dev_takes_nothing_of_production_along(world, arguments)
    an_edited_source_of_a_branch_that_is_there_is_refused(world)


def what_dev_does_to_its_own_pointer_leaves_production_alone(world: World) -> None:
    world.edit("dev", branches={"dev": None, "dev-2": {"from": {"branch": "dev"}}}, serve="dev-2")
    world.up("dev")
    world.preview("prod", "--expect-no-changes")
    assert world.outputs("dev")["served"]["branch"] == "dev-2"


def destroying_dev_takes_nothing_of_production_along(world: World, arguments: tuple[str, ...]) -> None:
    before = world.serving()
    with pytest.raises(CommandError, match=HOOK):
        world.pulumi("destroy", "-s", "dev", "--yes", *arguments)
    assert world.serving() == before
    world.preview("prod", "--expect-no-changes")
    world.up("dev")
    world.preview("dev", "--expect-no-changes")


def an_edited_source_of_a_branch_that_is_there_is_refused(world: World) -> None:
    branches = world.setting("prod", "branches")
    world.edit("prod", branches=branches | {"prod-v1": {"from": {"stack": "dev", "branch": "dev-2"}}})
    with pytest.raises(CommandError) as refused:
        world.preview("prod")
    assert "prod-v1 is a copy of dev of stack dev and can't become one of dev-2" in flat(refused)
    assert "add a new branch" in flat(refused)
    world.edit("prod", branches=branches)
    world.preview("prod", "--expect-no-changes")


def test_a_project_that_is_edited_while_branches_lie_in_it_is_refused(world: World) -> None:
    projects = world.outputs("prod")["projects"]
    world.edit("prod", project={"neon": "another-frost-12345678", "vercel": projects["vercel"]})
    with pytest.raises(CommandError) as refused:
        world.preview("prod")
    assert f"lies in Neon project {projects['neon']} and can't be moved to another-frost-12345678" in flat(refused)
    world.edit("prod", project=projects)
    world.preview("prod", "--expect-no-changes")
    world.edit("prod", project=None)


def test_the_app_connects_with_a_role_of_its_own_that_can_neither_change_the_schema_nor_be_devs(world: World) -> None:
    roles = {row[0]: row[1] for row in world.sql("prod", "prod-v1", "SELECT rolname, rolcanlogin FROM pg_roles")}
    assert roles["app_prod_1"] is True
    assert roles["app_dev_1"] is False, "dev's role came along with the copy and must not log in"
    granted = world.sql("prod", "prod-v1", "SELECT has_schema_privilege('app_prod_1', 'public', 'CREATE')")
    assert granted == [(False,)]


def test_devs_passwords_do_not_open_production(world: World) -> None:
    endpoint = re.compile(r"endpoint%3D([\w-]+)")
    (production,) = endpoint.findall(world.owner_url("prod", "prod-v1"))
    for url in (world.owner_url("dev", "dev"), world.app_url("dev", "dev")):
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone(), "it opens dev"
        with pytest.raises(psycopg.OperationalError, match=r"authentication failed|not permitted to log in"):
            psycopg.connect(endpoint.sub(f"endpoint%3D{production}", url))


def flat(refused: pytest.ExceptionInfo[CommandError]) -> str:
    """Return a refusal in one line."""
    return " ".join(str(refused.value).split())
