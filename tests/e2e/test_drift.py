"""Drift: what is changed or deleted by hand is seen by `preview --refresh` and put right by `up --refresh`."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from localcloud.cloud import ROOT
from tests.e2e.by_hand import answers_from, branches, compute, in_neon, in_vercel, push, variable
from tests.e2e.conftest import FROM_DEV, World

pytestmark = pytest.mark.e2e

SOMEBODY_ELSES = "postgresql://mallory:made-up-word@db.example.com/shop"


def seen(world: World, stack: str = "prod") -> str:
    """Return what a refreshing preview shows; repair it, and see that nothing is left."""
    shown = world.preview(stack, "--refresh")
    assert "Traceback" not in shown
    world.up(stack, "--refresh")
    world.preview(stack, "--refresh", "--expect-no-changes")
    return shown


def nightly(world: World, folder: Path) -> tuple[int, str]:
    """Run what the drift workflow runs; return the preview's exit code and the issue's text."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "drift.yml").read_text())
    steps = {step.get("id"): step.get("run", "") for step in workflow["jobs"]["look"]["steps"]}
    own = {"RUNNER_TEMP": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "sum"), "GITHUB_OUTPUT": str(folder / "out")}
    preview, report = (
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", steps[step]],
            cwd=place,
            env=world.environment | own,
            capture_output=True,
            check=False,
        )
        for step, place in (("preview", world.folder), ("report", ROOT))
    )
    assert report.returncode == 0, report.stderr
    return preview.returncode, (folder / "sum").read_text()


def refused(world: World, *command: str) -> str:
    """Run pulumi on production, which must fail, and return what it said in one line."""
    said = world.refused(*command, "-s", "prod")
    assert "Traceback" not in said
    return said


def test_where_nothing_was_changed_the_nightly_look_is_content(world: World, tmp_path: Path) -> None:
    code, issue = nightly(world, tmp_path)
    assert code == 0
    assert "nothing to do" in issue


def test_a_computes_size_and_rest_and_a_branchs_name_are_put_back(world: World, tmp_path: Path) -> None:
    branch = branches(world)["prod-v1"]
    changed = {"autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": 600}
    in_neon(world, "PATCH", f"/endpoints/{compute(world, 'prod-v1')['id']}", {"endpoint": changed})
    in_neon(world, "PATCH", f"/branches/{branch}", {"branch": {"name": "somebodys"}})
    code, issue = nightly(world, tmp_path)
    assert code != 0, "the workflow's step fails"
    assert "| change | neon Branch `prod-v1` | `name` |" in issue
    assert "| change | neon Endpoint `prod-v1` | `autoscalingLimitMaxCu`, `suspendTimeoutSeconds` |" in issue
    seen(world)
    assert branches(world)["prod-v1"] == branch
    size = compute(world, "prod-v1")
    assert (size["autoscaling_limit_max_cu"], size["suspend_timeout_seconds"]) == (4, -1)


def test_a_served_compute_that_was_deleted_comes_back_with_every_row_and_the_app_with_it(world: World) -> None:
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    before, gone = world.serving(), compute(world, "prod-v1")["id"]
    in_neon(world, "DELETE", f"/endpoints/{gone}")
    world.preview("prod", "--expect-no-changes")  # a plain preview asks nobody
    shown = seen(world)
    assert "neon:index:Endpoint prod-v1 create" in shown
    assert "production stays on prod-v1; its app is deployed again" in shown
    assert "prod-v1 keeps every row" in shown
    after = world.serving()
    assert after["endpoint"] not in (gone, "")
    assert (after["branch"], after["rows"]) == (before["branch"], before["rows"])
    assert world.post("/orders", world.outputs("prod")["domain"]) == 201
    assert answers_from(world, push(world)) == branches(world)["prod-v1"], "the variables lead to the compute too"


def test_a_variable_that_was_deleted_comes_back(world: World) -> None:
    in_vercel(world, "DELETE", f"/v9/projects/{{project}}/env/{variable(world, 'DATABASE_URL', 'production')['id']}")
    assert "ProjectEnvironmentVariable DATABASE_URL create" in seen(world)
    assert answers_from(world, push(world)) == branches(world)["prod-v1"]


def test_a_sensitive_value_that_was_changed_is_told_by_its_moment_and_written_again(
    world: World, tmp_path: Path
) -> None:
    path = f"/v9/projects/{{project}}/env/{variable(world, 'DATABASE_URL', 'production')['id']}"
    in_vercel(world, "PATCH", path, {"value": SOMEBODY_ELSES})
    assert answers_from(world, push(world)) == "", "the next push would have another database"
    assert world.serving()["ok"], "what serves has its own"
    code, issue = nightly(world, tmp_path)
    assert code != 0
    assert "DATABASE\\_URL was changed in Vercel at 20" in issue
    shown = seen(world)
    assert shown.partition("Diagnostics:")[2].count("was changed in Vercel at 20") == 1, "told once, of that one alone"
    assert "made-up-word" not in shown
    assert answers_from(world, push(world)) == branches(world)["prod-v1"]


def test_developments_value_that_was_changed_is_read_back_and_put_right(world: World) -> None:
    found = variable(world, "DATABASE_URL", "development")
    in_vercel(world, "PATCH", f"/v9/projects/{{project}}/env/{found['id']}", {"value": SOMEBODY_ELSES})
    shown = seen(world, "dev")
    assert "ProjectEnvironmentVariable DATABASE_URL update [diff: ~value]" in shown
    assert "made-up-word" not in shown


def test_variables_that_were_written_and_not_yet_sealed_are_sealed_by_the_next_up(world: World) -> None:
    before = world.resource("prod", "environments:index:VariableDrift::served")
    world.edit("prod", credentials=2)
    world.up("prod")
    world.put_back("prod", before)  # the state as if the up had been killed right before the seal
    assert "DATABASE_URL was changed in Vercel" in world.preview("prod", "--refresh"), "it can't tell who it was"
    world.up("prod")
    world.preview("prod", "--refresh", "--expect-no-changes")
    assert answers_from(world, push(world)) == branches(world)["prod-v1"]


def test_a_seal_that_was_lost_is_set_anew(world: World) -> None:
    world.forget("environments:index:VariableDrift::served")
    world.up("prod")
    world.preview("prod", "--refresh", "--expect-no-changes")


def test_a_branch_that_somebody_deleted_is_not_made_again_and_production_goes_on_from_another(world: World) -> None:
    a_served_branch_that_was_deleted_is_never_made_again_and_production_goes_on_from_the_one_before(world)
    another_branch_that_was_deleted_is_not_made_again_either_until_its_line_is_dropped(world)
    what_was_deleted_is_served_again_as_of_a_moment_by_a_branch_of_another_name(world)
    production_goes_back_to_prod_v1_which_the_other_tests_look_at(world)


def a_served_branch_that_was_deleted_is_never_made_again_and_production_goes_on_from_the_one_before(
    world: World,
) -> None:
    with_spare = world.setting("prod", "branches") | {"spare": FROM_DEV}
    world.edit("prod", branches=with_spare, accept={"branch": "prod-v1", "rows": "any"})
    world.promote("prod-v2")
    domain, rows = world.outputs("prod")["domain"], world.orders("prod", "prod-v1")
    in_neon(world, "DELETE", f"/branches/{branches(world)['prod-v2']}")  # no refresh has seen it yet
    for command in (("preview", "--refresh"), ("up", "--refresh", "--yes", "--skip-preview"), ("preview",)):
        said = refused(world, *command)
        assert "branch prod-v2 is no longer in Neon, though this stack did not delete it, and it is the one" in said
        assert """pulumi config set accept '{"branch": "prod-v2", "rows": "any"}'""" in said
        assert "prod-v2" not in branches(world)
    assert answers_from(world, domain) == "", "nothing else serves in its place"

    kept = {name: source for name, source in world.setting("prod", "branches").items() if name != "prod-v2"}
    world.edit("prod", branches=kept, serve="prod-v1")
    assert "the rows that only prod-v2 holds could not be counted" in refused(world, "preview", "--refresh")
    world.edit("prod", accept={"branch": "prod-v2", "rows": "any"})
    review = world.preview("prod", "--refresh")
    assert "production moves from prod-v2 to prod-v1" in review
    assert "the way back" not in review, "there is none to what is gone"
    world.up("prod", "--refresh")
    assert (world.serving()["branch"], world.serving()["rows"]["orders"]) == ("prod-v1", rows)
    assert world.post("/orders", domain) == 201
    world.up("prod", "--expect-no-changes")
    world.edit("prod", accept=None)
    world.preview("prod", "--refresh", "--expect-no-changes")


def another_branch_that_was_deleted_is_not_made_again_either_until_its_line_is_dropped(world: World) -> None:
    in_neon(world, "DELETE", f"/branches/{branches(world)['spare']}")
    said = refused(world, "preview", "--refresh")
    assert "branch spare is no longer in Neon, though this stack did not delete it." in said
    assert "it is the one that serves" not in said
    refused(world, "up", "--refresh", "--yes", "--skip-preview")
    assert "spare" not in branches(world)
    assert world.health("drift.vercel.app")["ok"], "production is as it was"

    world.edit("prod", branches={"prod-v1": FROM_DEV})
    world.up("prod", "--refresh")
    world.preview("prod", "--refresh", "--expect-no-changes")


def what_was_deleted_is_served_again_as_of_a_moment_by_a_branch_of_another_name(world: World) -> None:
    copy = {"from": {"branch": "prod-v1"}}
    world.edit(
        "prod", branches={"prod-v1": FROM_DEV, "copy": copy}, serve="copy", accept={"branch": "prod-v1", "rows": "any"}
    )
    world.up("prod")
    world.post("/orders", "drift.vercel.app")
    in_neon(world, "DELETE", f"/branches/{branches(world)['copy']}")
    assert "another copy of prod-v1 (stack prod)" in refused(world, "preview", "--refresh")
    again = {"from": {"branch": "prod-v1"}, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    time.sleep(1.1)
    world.edit(
        "prod", branches={"prod-v1": FROM_DEV, "again": again}, serve="again", accept={"branch": "copy", "rows": "any"}
    )
    world.up("prod", "--refresh")
    assert world.serving()["branch"] == "again"
    assert world.post("/orders", "drift.vercel.app") == 201
    world.preview("prod", "--refresh", "--expect-no-changes")


def production_goes_back_to_prod_v1_which_the_other_tests_look_at(world: World) -> None:
    world.edit("prod", serve="prod-v1", accept={"branch": "again", "rows": "any"})
    world.up("prod")
    world.edit("prod", accept=None)
    assert world.serving()["branch"] == "prod-v1"
