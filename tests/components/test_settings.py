"""A wrong setting is refused with path, value, rule and remedy; every form that Pulumi gives a value is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.plan import plan
from components.settings import Settings, SettingsError, read_settings, schema
from components.settings.values import PointInTime
from components.topology import StackExports

ROOT = Path(__file__).parents[2]
DEV = {"dev": StackExports("late-frost-12345678", "prj_1", {"dev": "br-dev"})}
FROM_DEV = {"from": {"stack": "dev", "branch": "dev"}}


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
    plan(settings, stack, DEV if exports is None else exports, "digest" if settings.app else None)
    return settings


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "an unknown key",
        {"serves": "prod-v1"},
        ["environments:serves", "no such setting", "target, project, branches, serve"],
    ),
    (
        "an unknown key further down",
        {"compute": {"min_cpu": 1}},
        ["environments:compute.min_cpu", "no such setting", "min_cu, max_cu, suspend"],
    ),
    (
        "an unknown strategy",
        {"strategy": {"kind": "big-bang"}},
        ["environments:strategy.kind", "'big-bang'", "must be", "clone-and-promote"],
    ),
    (
        "no strategy",
        {"strategy": None},
        ["environments:strategy", "needed and missing", "Add environments:strategy"],
    ),
    ("an unknown target", {"target": "live"}, ["environments:target", "'live'", "'production' or 'development'"]),
    (
        "serve names no branch",
        {"serve": "prod-v9"},
        ["environments:serve", "'prod-v9'", "no such branch", "serve one of: prod-v1"],
    ),
    (
        "serve leads to another stack",
        {"serve": {"stack": "dev", "branch": "dev"}},
        ["environments:serve", "'dev' of stack 'dev'", "this stack's own", "Clone it under branches"],
    ),
    (
        "a branch cloned from itself",
        {"branches": {"prod-v1": {"from": {"branch": "prod-v1"}}}},
        ["environments:branches.prod-v1.from", "'prod-v1'", "from itself", "Name another branch"],
    ),
    (
        "branches cloned in a circle",
        {"branches": {"prod-v1": FROM_DEV, "a": {"from": {"branch": "b"}}, "b": {"from": {"branch": "a"}}}},
        ["environments:branches.a.from", "'b'", "a -> b -> a", "circle", "Break it"],
    ),
    (
        "a branch of an unknown branch",
        {"branches": {"prod-v1": FROM_DEV, "x": {"from": {"branch": "nowhere"}}}},
        ["environments:branches.x.from", "'nowhere'", "no such branch", "prod-v1"],
    ),
    (
        "a production branch from nowhere",
        {"branches": {"prod-v1": {}}},
        ["environments:branches.prod-v1.from", "cloned from", "Add from: {stack: dev, branch: dev}"],
    ),
    (
        "min above max",
        {"compute": {"min_cu": 4, "max_cu": 2}},
        ["environments:compute", "min_cu 4 is above max_cu 2", "Raise max_cu or lower min_cu"],
    ),
    (
        "a size that Neon doesn't sell",
        {"compute": {"min_cu": 0.75}},
        ["environments:compute.min_cu", "0.75", "0.25, 0.5 and whole numbers", "Choose one of these"],
    ),
    (
        "a size that is no number",
        {"compute": {"min_cu": "big"}},
        ["environments:compute.min_cu", "'big'", "0.25, 0.5", "Choose one of these"],
    ),
    (
        "autoscaling that is too wide",
        {"compute": {"min_cu": 1, "max_cu": 16}},
        ["environments:compute", "1 to 16 CU", "8 CU", "closer together"],
    ),
    (
        "a compute that suspends too soon",
        {"compute": {"suspend": 5}},
        ["environments:compute.suspend", "'5'", "60 seconds to 7 days", "Write never"],
    ),
    (
        "a branch name that Neon refuses",
        {"branches": {"prod v1!": FROM_DEV}, "serve": "prod-v1"},
        ["environments:branches.prod v1!", "'prod v1!'", "letters, digits", "Rename it"],
    ),
    (
        "a project name that Vercel refuses",
        {"project": {"name": "My Shop"}},
        ["environments:project.name", "'My Shop'", "lower-case letters", "Choose such a name"],
    ),
    (
        "a project name that Neon refuses",
        {"project": {"name": "a" * 65}},
        ["environments:project.name", "64 characters", "Choose a shorter name"],
    ),
    (
        "a Neon project id that is none",
        {"project": {"neon": "shop", "vercel": "prj_abc"}},
        ["environments:project.neon", "'shop'", "late-frost-12345678", "Copy it"],
    ),
    (
        "half an adoption",
        {"project": {"neon": "late-frost-12345678"}},
        ["environments:project", "belong together", "Give both ids"],
    ),
    (
        "a point in time without a zone",
        {"branches": {"prod-v1": {**FROM_DEV, "at": "2026-11-01 12:00"}}},
        ["environments:branches.prod-v1.at", "'2026-11-01 12:00'", "with its zone", "2026-11-01T12:00:00Z"],
    ),
    (
        "an object that is none",
        {"compute": "large"},
        ["environments:compute", "'large'", "object with keys", "indented"],
    ),
    (
        "an app outside the project",
        {"app": {"path": "../shop"}},
        ["environments:app.path", "'../shop'", "inside the project", "relative to Pulumi.yaml"],
    ),
    (
        "a health check that is no path",
        {"app": {"health": {"path": "health"}}},
        ["environments:app.health.path", "'health'", "starts with '/'", "/health"],
    ),
    ("production without an app", {"app": None}, ["environments:app", "deploys an app", "Add app: {path: app}"]),
    (
        "a role name that Postgres would have to quote",
        {"database": {"owner": "Owner"}},
        ["environments:database.owner", "'Owner'", "lower-case letters", "Choose such a name"],
    ),
    (
        "a source without a branch",
        {"branches": {"prod-v1": {"from": {"stack": "dev"}}}},
        ["environments:branches.prod-v1.from.branch", "needed and missing", "Add"],
    ),
]


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
    assert schema.FILE.read_text() == schema.rendered(), "run python -m components.settings.schema"


def test_the_schema_takes_the_stack_files_of_the_project() -> None:
    validator = jsonschema.Draft202012Validator(schema.stack_schema())
    for stack in ("dev", "prod"):
        validator.validate(yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text()))
