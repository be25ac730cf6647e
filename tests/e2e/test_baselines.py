"""A branch's baseline over its whole life: it serves a second time, Neon sets it back, or gives it other content."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def buy(world: World, times: int) -> None:
    """Place orders with the app, as visitors of production: two rows each."""
    for _ in range(times):
        assert world.post("/orders", world.outputs("prod")["domain"]) == 201


def refused_below(world: World, to: str, *, leaving: str, rows: int) -> None:
    """To serve `to` with one row less accepted is refused, with the number that there are."""
    world.edit("prod", serve=to, accept={"branch": leaving, "rows": rows - 1})
    with pytest.raises(CommandError) as refused:
        world.preview("prod")
    assert f"{rows:,} rows (" in " ".join(str(refused.value).split())


def move(world: World, to: str, *, leaving: str, rows: int) -> None:
    """Serve `to` with exactly these rows accepted, and be told that they stayed."""
    world.edit("prod", serve=to, accept={"branch": leaving, "rows": rows})
    said = " ".join(world.up("prod").split())
    assert re.search(rf"is read-only now\. {rows:,} rows( \([^)]*\))? exist only there", said), said
    assert world.serving()["branch"] == to


def restore(world: World, branch: str, source: str, **body: str) -> None:
    """Restore one of production's branches in place from the branch with the id `source`."""
    outputs = world.outputs("prod")
    answer = httpx.post(
        f"{world.cloud.neon_api_host}/projects/{outputs['projects']['neon']}"
        f"/branches/{outputs['branches'][branch]}/restore",
        headers={"Authorization": f"Bearer {world.cloud.neon_api_key}"},
        json={"source_branch_id": source, **body},
        timeout=60,
    )
    answer.raise_for_status()


def test_the_rows_that_would_be_left_behind_are_counted_through_a_branchs_whole_life(world: World) -> None:
    a_branch_that_serves_a_second_time_counts_from_its_first_baseline(world)
    a_restore_to_a_moment_after_the_baseline_keeps_login_and_baseline(world)
    a_branch_with_another_ones_content_is_not_left_by_the_old_baseline_and_is_made_whole_by_refresh_and_up(world)


def a_branch_that_serves_a_second_time_counts_from_its_first_baseline(world: World) -> None:
    buy(world, 1)
    world.edit("prod", branches=world.setting("prod", "branches") | {"prod-v2": FROM_DEV})
    move(world, "prod-v2", leaving="prod-v1", rows=2)
    buy(world, 2)
    world.add_orders("prod", "prod-v1", 3)  # the owner may write to what was left
    move(world, "prod-v1", leaving="prod-v2", rows=4)
    buy(world, 1)
    refused_below(world, "prod-v2", leaving="prod-v1", rows=2 + 3 + 2)
    move(world, "prod-v2", leaving="prod-v1", rows=2 + 3 + 2)
    buy(world, 1)
    move(world, "prod-v1", leaving="prod-v2", rows=4 + 2)
    world.up("prod", "--expect-no-changes")


def a_restore_to_a_moment_after_the_baseline_keeps_login_and_baseline(world: World) -> None:
    now = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    moment = str(world.sql("prod", "prod-v1", f"SELECT {now}")[0][0])
    buy(world, 5)
    before = world.outputs("prod")["branches"]["prod-v1"]
    restore(world, "prod-v1", before, source_timestamp=moment, preserve_under_name="before the restore")
    assert "was restored in place" not in world.pulumi("refresh", "-s", "prod", "--yes")
    world.preview("prod", "--expect-no-changes")
    buy(world, 1)
    refused_below(world, "prod-v2", leaving="prod-v1", rows=7 + 2)
    move(world, "prod-v2", leaving="prod-v1", rows=7 + 2)
    move(world, "prod-v1", leaving="prod-v2", rows=6)


def a_branch_with_another_ones_content_is_not_left_by_the_old_baseline_and_is_made_whole_by_refresh_and_up(
    world: World,
) -> None:
    deployment = world.serving_deployment()
    restore(world, "prod-v1", world.outputs("dev")["branches"]["dev"], preserve_under_name="before the second restore")
    world.edit("prod", serve="prod-v2", accept={"branch": "prod-v1", "rows": 1_000_000})
    with pytest.raises(CommandError) as refused:
        world.up("prod")
    said = " ".join(str(refused.value).split())
    assert "its database has no marker of this branch, as after a restore" in said
    assert "after pulumi refresh and pulumi up every row on it counts" in said

    world.edit("prod", serve="prod-v1", accept=None)
    assert "was restored in place: the role app_prod_1 doesn't exist" in world.pulumi("refresh", "-s", "prod", "--yes")
    steps = changes(world.preview("prod", "--json"))
    assert steps["prod-v1"] == {"update"}, "its login is made again"
    assert set().union(*steps.values()) == {"update"}, "nothing is made, replaced or deleted"
    world.up("prod")
    assert world.serving()["branch"] == "prod-v1"
    assert world.serving_deployment() == deployment, "the login has the password that it had: nothing is built"
    buy(world, 1)
    world.up("prod", "--expect-no-changes")
    assert "was restored in place" not in world.pulumi("refresh", "-s", "prod", "--yes")
    move(world, "prod-v2", leaving="prod-v1", rows=everything(world, "prod-v1"))


def changes(preview: str) -> dict[str, set[str]]:
    """Return what a preview would do, by the names of what it would do it to."""
    steps: list[dict[str, Any]] = json.loads(preview)["steps"]
    found: dict[str, set[str]] = {}
    for step in steps:
        if step["op"] != "same":
            found.setdefault(step["urn"].rpartition("::")[2], set()).add(step["op"])
    return found


def everything(world: World, branch: str) -> int:
    """Count every row of every table."""
    tables = world.sql(
        "prod",
        branch,
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg_%' AND n.nspname <> 'information_schema'",
    )
    return sum(int(world.sql("prod", branch, f"SELECT count(*) FROM {table}")[0][0]) for (table,) in tables)  # noqa: S608
