"""After a Pointer Swap: dev's branch, which production serves, becomes production's own; dev goes on with another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import AS_PRODUCTION, DEVS, FROM_DEV, World
from tests.e2e.visitors import Visitors

pytestmark = pytest.mark.e2e

DEV_2 = {"from": {"branch": "dev"}}
PROD = {"prod-v1": FROM_DEV, "prod-v2": {"adopt": True}}


@contextmanager
def visited(world: World) -> Iterator[None]:
    """Ask the app all the time, which must always answer, from one and the same branch."""
    visitors = Visitors(world.cloud.vercel_edge_url, world.outputs("prod")["domain"])
    with visitors.visiting():
        yield
    assert set(visitors.answers) == {"200"}, visitors.answers
    assert len(visitors.branches) == 1, visitors.branches


def claims(url: str) -> list[str]:
    """Return what the roles of a database say of who serves from it."""
    with psycopg.connect(url) as connection:
        told = connection.execute("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles").fetchall()
    return [text for (text,) in told if text and '"claim"' in text]


def owners_url(world: World, id_: str) -> str:
    """Return the owner's URL of a branch that no stack need know."""
    outputs = world.outputs
    try:
        object.__setattr__(world, "outputs", lambda stack: outputs(stack) | {"branches": {"it": id_}})
        return world.owner_url("prod", "it")
    finally:
        object.__delattr__(world, "outputs")


def test_the_branch_that_dev_and_production_share_becomes_productions_own(world: World) -> None:
    a_released_branch_lets_its_copy_keep_its_source(world)
    nothing_more_can_be_cloned_from_what_was_released(world)
    production_adopts_the_branch_that_it_serves_and_no_visitor_notices(world)
    the_way_back_and_forth_needs_one_edit_and_builds_nothing(world)


def a_released_branch_lets_its_copy_keep_its_source(world: World) -> None:
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}})
    world.up("dev")
    world.edit("prod", strategy={"kind": "pointer-swap"}, serve=DEVS)
    world.up("prod")
    id_ = world.outputs("dev")["branches"]["dev"]
    assert world.served_id() == id_

    taken = {"compute": AS_PRODUCTION, "name": "prod-v2", "release": True}
    with visited(world):
        world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}, "dev-2": DEV_2}, serve="dev-2")
        world.up("dev")
        world.edit("dev", branches={"dev": taken, "dev-2": DEV_2})
        world.up("dev")
        world.edit("dev", branches={"dev-2": DEV_2})
        world.up("dev")
    assert list(world.outputs("dev")["branches"]) == ["dev-2"]
    assert world.served_id() == id_
    for stack in ("dev", "prod"):
        world.preview(stack, "--expect-no-changes")


def nothing_more_can_be_cloned_from_what_was_released(world: World) -> None:
    world.edit("dev", branches={"dev-2": DEV_2, "dev-3": DEV_2})
    with pytest.raises(CommandError, match="dev-3 is to be a copy of dev in stack dev, which exports no such branch"):
        world.preview("dev")
    world.edit("dev", branches={"dev-2": DEV_2})


def production_adopts_the_branch_that_it_serves_and_no_visitor_notices(world: World) -> None:
    id_, deployment, built = world.served_id(), world.serving_deployment(), world.deployments()
    url = owners_url(world, id_)
    assert len(claims(url)) == 1
    with psycopg.connect(url) as connection:
        connection.execute("ALTER ROLE app_dev_1 PASSWORD 'known-to-dev'")
    devs = psycopg.conninfo.make_conninfo(url, user="app_dev_1", password="known-to-dev")
    psycopg.connect(devs).close()

    world.edit("prod", branches=PROD, serve="prod-v2")
    with pytest.raises(CommandError, match="environments adopt -s prod"):
        world.preview("prod")
    with visited(world):
        said = world.environments("adopt", "-s", "prod")
        assert f"taken over as {id_}" in said
        preview = world.preview("prod")
        assert "production stays on its branch, called dev/dev until now and prod-v2 from here on" in preview
        assert re.search(r"neon:index:\w+ +\S+ +(create|replace|delete)", preview) is None
        assert world.post("/orders", world.outputs("prod")["domain"]) == 201
        world.up("prod")
        assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    assert world.served_id() == id_
    assert world.outputs("prod")["branches"]["prod-v2"] == id_
    assert (world.serving_deployment(), world.deployments()) == (deployment, built), "nothing was built or promoted"
    for shut in (url, devs):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(shut).close()
    assert claims(world.owner_url("prod", "prod-v2")) == []
    for stack in ("dev", "prod"):
        world.up(stack, "--expect-no-changes")


def the_way_back_and_forth_needs_one_edit_and_builds_nothing(world: World) -> None:
    built = world.deployments()
    world.edit("prod", serve="prod-v1")
    with pytest.raises(CommandError) as error:
        world.preview("prod")
    rows = re.search(r"pulumi config set accept '(\{[^']+\})'", " ".join(str(error.value).split()))
    assert rows, "what visitors wrote since production points there is counted"
    assert json.loads(rows[1])["branch"] == "prod-v2"
    world.edit("prod", accept=json.loads(rows[1]))
    world.up("prod")
    assert world.serving()["branch"] == "prod-v1"
    world.edit("prod", serve="prod-v2")
    world.up("prod")
    assert world.serving()["branch"] == "prod-v2"
    assert world.deployments() == built
    for stack in ("dev", "prod"):
        world.up(stack, "--expect-no-changes")
