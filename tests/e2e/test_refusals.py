"""What a preview refuses, in which words; and what a cutover undoes. Nothing of production changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localcloud.cloud import Cloud
from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World, make_world

pytestmark = pytest.mark.e2e


def refused(world: World, *command: str, env: dict[str, str] | None = None) -> str:
    """Run pulumi, which must fail, and return what it said in one line."""
    with pytest.raises(CommandError) as error:
        world.run("pulumi", *command, "-s", "prod", "--non-interactive", "--color=never", env=env)
    return " ".join(str(error.value).split())


def buy(world: World) -> None:
    """Place one order with the app, as a visitor of production."""
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201


def test_production_without_dev_says_what_to_do_first(emptied: Cloud, tmp_path: Path) -> None:
    without_dev = make_world(emptied, tmp_path, "without-dev")
    without_dev.select("prod")
    said = refused(without_dev, "preview")
    assert "the projects come from stack dev, which is missing or was never brought up" in said
    assert "Run pulumi up -s dev first" in said
    assert "Traceback" not in said


def test_a_missing_token_is_told_before_anything_else(world: World) -> None:
    said = refused(world, "preview", env={"NEON_API_KEY": ""})
    assert "NEON_API_KEY is not set; nothing was changed" in said
    assert "Traceback" not in said


def test_a_wrong_setting_is_told_in_the_preview(world: World) -> None:
    world.edit("prod", serve="prod-v9")
    said = refused(world, "preview")
    assert "environments:serve is 'prod-v9': prod has no such branch. Add it under branches" in said
    assert "Traceback" not in said
    world.edit("prod", serve="prod-v1")


def test_a_source_that_dev_does_not_export_is_refused(world: World) -> None:
    branches = world.setting("prod", "branches")
    world.edit("prod", branches=branches | {"x": {"from": {"stack": "dev", "branch": "nowhere"}}})
    said = refused(world, "preview")
    assert "branch x is to be a copy of nowhere in stack dev, which exports no such branch" in said
    world.edit("prod", branches=branches)


def test_rows_that_visitors_wrote_are_never_left_behind_by_mistake(world: World) -> None:
    rows_that_would_be_left_behind_are_counted_refused_and_accepted_up_to_a_bound(world)
    the_branch_that_was_left_takes_no_more_writes_and_takes_them_again_after_the_way_back(world)
    a_live_environment_serves_only_copies_of_what_it_serves(world)
    a_lost_state_does_not_make_users_rows_look_like_copied_ones(world)


def rows_that_would_be_left_behind_are_counted_refused_and_accepted_up_to_a_bound(world: World) -> None:
    buy(world)
    branches = world.setting("prod", "branches")
    world.edit("prod", branches=branches | {"prod-v2": FROM_DEV}, serve="prod-v2")
    said = refused(world, "preview")
    assert "2 rows (order_items 1, orders 1) were written to prod-v1 since it began and would be left behind" in said
    assert """pulumi config set accept '{"branch": "prod-v1", "rows": 2}'""" in said

    buy(world)
    world.edit("prod", accept={"branch": "prod-v1", "rows": 2})
    assert "4 rows (order_items 2, orders 2) were written" in refused(world, "preview"), "2 is an upper bound"
    refused(world, "up", "--yes", "--skip-preview")
    assert world.serving()["branch"] == "prod-v1"

    world.edit("prod", accept={"branch": "prod-v1", "rows": 4})
    preview = world.preview("prod")
    assert "4 rows (order_items 2, orders 2) stay behind on prod-v1 (accepted in the stack file)" in preview
    world.up("prod")
    assert world.serving()["branch"] == "prod-v2"


def the_branch_that_was_left_takes_no_more_writes_and_takes_them_again_after_the_way_back(world: World) -> None:
    left = world.deployed_on("prod-v1")
    assert world.post("/orders", left) == 503
    assert world.health(left)["ok"], "reads go on"
    world.edit("prod", serve="prod-v1")
    world.up("prod")
    buy(world)


def a_live_environment_serves_only_copies_of_what_it_serves(world: World) -> None:
    world.edit("prod", safety={"phase": "live"}, serve="prod-v2")
    said = refused(world, "preview")
    assert "the environment is live (safety.phase), so its pointer can't move from prod-v1 to prod-v2" in said
    world.edit("prod", safety=None, serve="prod-v1")
    world.preview("prod")


def a_lost_state_does_not_make_users_rows_look_like_copied_ones(world: World) -> None:
    buy(world)
    world.edit("prod", serve="prod-v2", accept=None, safety=None)
    counted = re.search(r"\d+ rows \([^)]*\) were written to prod-v1 since it began", refused(world, "preview"))
    assert counted
    world.edit("prod", serve="prod-v1")
    world.forget("environments:index:AppLogin::prod-v1")
    world.up("prod")
    world.edit("prod", serve="prod-v2")
    assert counted[0] in refused(world, "preview")
    world.edit("prod", serve="prod-v1")


def test_an_app_that_is_not_healthy_never_gets_the_domain_and_the_next_up_goes_on(world: World) -> None:
    before = world.serving()
    handler = world.folder / "app" / "api" / "index.js"
    healthy = handler.read_text()
    handler.write_text("export default (request, response) => { response.statusCode = 500; response.end(); };\n")
    said = refused(world, "up", "--yes", "--skip-preview")
    assert "answers status 500, expected status 200" in said
    assert world.serving() == before

    handler.write_text(healthy + "\n// mended\n")
    world.up("prod")
    assert world.serving()["deployment"] != before["deployment"]
    assert world.serving()["branch"] == before["branch"]


def test_an_app_that_can_not_be_built_never_gets_the_domain_and_its_log_is_shown(world: World) -> None:
    before = world.serving()
    package = world.folder / "app" / "package.json"
    builds = package.read_text()
    package.write_text(builds.replace('"scripts": {', '"scripts": {\n    "build": "echo no luck today && exit 3",'))
    said = refused(world, "up", "--yes", "--skip-preview")
    assert "no luck today" in said
    assert world.serving() == before
    package.write_text(builds)
    world.up("prod")
    world.up("prod", "--expect-no-changes")


def test_settings_that_pulumi_writes_itself_are_taken(world: World) -> None:
    for arguments in (
        ("--path", "compute.min_cu", "0.5"),
        ("--path", "compute.max_cu", "4.0"),
        ("strategy", '{"kind": "clone-and-promote"}'),
        ("serve", '{"branch": "prod-v1"}'),
    ):
        world.pulumi("config", "set", *arguments, "-s", "prod")
    world.up("prod")
    world.up("prod", "--expect-no-changes")

    file = world.stack_file("prod")
    written = file.read_text()
    unquoted = "\n  environments:branches:\n    timed: {from: {stack: dev, branch: dev}, at: 2025-01-01T00:00:00Z}\n"
    file.write_text(written.replace("\n  environments:branches:\n", unquoted, 1))
    assert '"parentTimestamp": 1735689600' in world.preview("prod", "--json")
    file.write_text(written)
