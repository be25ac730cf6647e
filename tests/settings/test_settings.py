"""A wrong setting is refused with path, value, rule and remedy; every form that Pulumi gives a value is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from environments.plan.plan import Digests, plan
from environments.plan.topology import StackExports
from environments.settings import Settings, SettingsError, left_over, read_settings, schema
from environments.settings.values import PointInTime
from tests.settings.wrong_settings import FROM_DEV, WRONG

ROOT = Path(__file__).parents[2]
DIGESTS = Digests("digest", "digest")
DEV = {"dev": StackExports("late-frost-12345678", "prj_1", {"dev": "br-dev"})}


def stack_file(stack: str, **edits: Any) -> dict[str, str]:
    """Return a stack file's settings as Pulumi hands them over, with top-level keys edited; None takes a key out."""
    written = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    config = {key.removeprefix("environments:"): value for key, value in written.items()} | edits
    return {
        key: json.dumps(value) if isinstance(value, dict | list) else str(value)
        for key, value in config.items()
        if value is not None
    }


def settle(stack: str, exports: dict[str, StackExports] | None = None, **edits: Any) -> Settings:
    """Read and plan a stack file, as the program does."""
    settings = read_settings(stack_file(stack, **edits), stack)
    plan(settings, stack, DEV if exports is None else exports, DIGESTS if settings.app else Digests())
    return settings


@pytest.mark.parametrize(("edits", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_setting_is_refused_with_path_value_rule_and_remedy(edits: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        settle("prod", **edits)
    message = str(refused.value)
    assert "wrong in Pulumi.prod.yaml; nothing was changed" in message
    for part in told:
        assert part in message, message


def test_every_wrong_setting_is_told_in_one_run() -> None:
    with pytest.raises(SettingsError) as refused:
        settle("prod", compute={"min_cu": 3.5}, target="live", extra=1)
    assert len(refused.value.problems) == 3


def test_a_missing_dev_is_told_with_both_ways_out() -> None:
    with pytest.raises(SettingsError, match=r"pulumi up -s dev first, or pin project"):
        settle("prod", exports={})


def test_pinned_projects_need_no_dev() -> None:
    settle("prod", exports={}, project={"neon": "late-frost-12345678", "vercel": "prj_abc"})


def test_a_key_that_another_strategy_left_behind_is_told_and_harmless() -> None:
    file = stack_file("prod", strategy={"kind": "pointer-swap", "migrations": "app/drizzle"})
    assert left_over(file) == ["migrations"]
    assert read_settings(file, "prod").strategy.kind == "pointer-swap"


def test_development_serves_a_branch_of_its_own() -> None:
    with pytest.raises(SettingsError, match=r"serve is 'prod-v1' of stack 'prod'.*of its own stack"):
        settle("dev", serve={"stack": "prod", "branch": "prod-v1"})


def test_a_preview_environment_takes_five_lines() -> None:
    written = {
        "target": "preview",
        "git_branch": "feature/basket",
        "branches": json.dumps({"pr-7": {**FROM_DEV, "expires": "7d"}}),
        "serve": "pr-7",
    }
    topology = plan(read_settings(written, "pr-7"), "pr-7", DEV, Digests())
    assert topology.vercel_targets == ("preview",)
    assert topology.git_branch == "feature/basket"
    assert topology.disposable
    assert topology.branches[0].lifetime == 7 * 86_400


def test_the_branch_that_serves_a_preview_environment_can_be_retired_so_that_the_environment_can_be_destroyed() -> None:
    edits = {"target": "preview", "git_branch": "staging", "app": None, "safety": None, "compute": None}
    served = {"branches": {"prod-v1": FROM_DEV | {"retire": True}}, "serve": "prod-v1"}
    settings = read_settings(stack_file("prod", **edits, **served), "staging")
    (branch,) = plan(settings, "staging", DEV, Digests()).branches
    assert (branch.deletion, branch.protected) == ("delete", False)
    released = {"branches": {"prod-v1": FROM_DEV | {"release": True}}, "serve": "prod-v1"}
    settings = read_settings(stack_file("prod", **edits, **released), "staging")
    with pytest.raises(SettingsError, match="prod-v1 serves"):
        plan(settings, "staging", DEV, Digests())


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_no_variable_is_sensitive_for_development_which_vercel_refuses(stack: str) -> None:
    settings = read_settings(stack_file(stack), stack)
    topology = plan(settings, stack, DEV, DIGESTS if settings.app else Digests())
    assert topology.sensitive == ("development" not in topology.vercel_targets)


def test_development_has_no_deployment_of_its_own() -> None:
    with pytest.raises(SettingsError, match=r"environments:app.*Remove it"):
        settle("dev", app={"path": "app"})


def test_the_stack_files_of_the_project_are_right() -> None:
    assert settle("dev").target == "development"
    assert settle("prod").serve.branch == "prod-v1"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2025-01-01T00:00:00Z", 1735689600), ("2025-01-01 00:00:00 +0000 UTC", 1735689600),
     ("2025-01-01T01:00:00+01:00", 1735689600), ("2025-01-01 01:00:00 +0100 CET", 1735689600)],
)  # fmt: skip
def test_a_time_is_taken_as_written_and_as_pulumi_rewrites_it(written: str, seconds: int) -> None:
    at = settle("prod", branches={"prod-v1": {**FROM_DEV, "at": written}}).branches["prod-v1"].at
    assert at == PointInTime(timestamp=seconds)


def test_a_log_sequence_number_is_a_point_in_time() -> None:
    at = settle("prod", branches={"prod-v1": {**FROM_DEV, "at": "0/1a2b3c4"}}).branches["prod-v1"].at
    assert at == PointInTime(lsn="0/1A2B3C4")


@pytest.mark.parametrize("compute", [{"min_cu": "0.5"}, {"min_cu": 0.5}, '{"min_cu": 0.5}', '{"min_cu":"0.5"}'])
def test_a_size_may_be_a_number_a_string_or_inside_a_json_string(compute: Any) -> None:
    assert settle("prod", compute=compute).compute.min_cu == 0.5


@pytest.mark.parametrize(
    ("written", "seconds"), [("never", -1), (-1, -1), (300, 300), ("300", 300), ("5m", 300), ("7d", 604800)]
)
def test_suspension_is_seconds_a_duration_or_never(written: Any, seconds: int) -> None:
    assert settle("prod", compute={"suspend": written}).compute.suspend == seconds


def test_a_branch_with_nothing_below_it_is_taken() -> None:
    assert settle("dev", branches={"dev": None}).branches["dev"].source is None


def test_max_cu_follows_min_cu() -> None:
    assert settle("prod", compute={"min_cu": 2}).compute.largest == 2


def test_the_schema_for_editors_is_current() -> None:
    assert (ROOT / schema.FILE_NAME).read_text() == schema.rendered(), "run environments schema --write"


def test_the_schema_takes_the_stack_files_of_the_project() -> None:
    validator = jsonschema.Draft202012Validator(schema.stack_schema())
    for stack in ("dev", "prod"):
        validator.validate(yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text()))
