"""What the engine asks of any plugin: names, ignored changes, cancellation, configuration, no secret in a message."""

import os
import re
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.localcloud.plugins.recorder import Recorder
from tests.localcloud.plugins.stack import Declared, Stack

pytestmark = pytest.mark.e2e

PROJECT: tuple[str, dict[str, Any], dict[str, Any]] = ("neon.Project", {"name": "app"}, {})


def test_what_has_no_name_gets_one_of_the_resource_and_seven_digits_and_keeps_it(stack: Stack) -> None:
    declared: Declared = {
        "project": ("neon.Project", {}, {}),
        "feature": ("neon.Branch", {"project_id": "$project.id"}, {}),
        "site": ("vercel.Project", {}, {}),
    }
    stack.up(declared)

    found = stack.resources()
    for name in declared:
        assert re.fullmatch(name + "-[0-9a-f]{7}", found[name]["outputs"]["name"])
    stack.unchanged()


def test_an_ignored_change_is_neither_planned_nor_sent(stack: Stack, neon: Recorder) -> None:
    properties = {"project_id": "$project.id", "name": "dev"}
    stack.up({"project": PROJECT, "branch": ("neon.Branch", properties, {})})
    neon.taken()

    ignoring = {"ignore_changes": ["parentTimestamp", "protected", "name"]}
    changed = {**properties, "name": "other", "protected": "yes", "parent_timestamp": 1_700_000_000}
    stack.declare({"project": PROJECT, "branch": ("neon.Branch", changed, ignoring)})

    stack.unchanged()
    stack.up()
    assert neon.taken() == []


def test_a_protected_branch_is_not_replaced(stack: Stack) -> None:
    branch = {"project_id": "$project.id", "name": "dev"}
    stack.up({"project": PROJECT, "branch": ("neon.Branch", branch, {"protect": True})})

    other = {**branch, "parent_lsn": "0/20"}
    output = stack.up({"project": PROJECT, "branch": ("neon.Branch", other, {"protect": True})}, ok=False)

    assert "unable to replace resource" in output


@pytest.mark.parametrize(
    ("variable", "declared", "expected"),
    [
        ("NEON_API_KEY", {"project": PROJECT}, "Neon needs an API key: set NEON_API_KEY"),
        (
            "VERCEL_API_TOKEN",
            {"site": ("vercel.Project", {"name": "s"}, {})},
            "Vercel needs an API token: set VERCEL_API_TOKEN",
        ),
    ],
)
def test_a_missing_token_is_named_in_the_preview(
    stack: Stack, variable: str, declared: Declared, expected: str
) -> None:
    stack.declare(declared)

    assert expected in stack.run("preview", "-s", "dev", ok=False, **{variable: ""})


def test_a_key_from_the_environment_stays_out_of_the_state(stack: Stack) -> None:
    stack.up({"project": PROJECT})

    providers = [each for each in stack.resources().values() if each["type"] == "pulumi:providers:neon"]
    assert len(providers) == 1
    assert "apiKey" not in providers[0]["inputs"]


def test_a_message_of_the_api_that_repeats_a_secret_is_shown_without_it(stack: Stack, vercel: Recorder) -> None:
    vercel.fail("POST .*/env", 400, "the value postgres://user:pw@host is too strange")
    variable = {
        "project_id": "$site.id",
        "key": "URL",
        "value": "$secret:postgres://user:pw@host",
        "sensitive": True,
        "targets": ["production"],
    }
    declared: Declared = {
        "site": ("vercel.Project", {"name": "s"}, {}),
        "url": ("vercel.ProjectEnvironmentVariable", variable, {}),
    }

    output = stack.up(declared, ok=False)

    assert "the value [secret] is too strange" in output
    assert "user:pw" not in output


def test_an_input_that_the_stand_in_does_not_know_is_refused_by_name(stack: Stack) -> None:
    stack.declare({"site": ("vercel.Project", {"name": "s", "public_source": True, "git_lfs": True}, {})})

    assert "Project has no input 'gitLfs' in this stand-in" in stack.run("preview", "-s", "dev", ok=False)


def test_an_interrupt_ends_the_retries(stack: Stack, neon: Recorder) -> None:
    neon.fail("POST", 423, "project already has running conflicting operations")
    stack.declare({"project": PROJECT})
    process = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "-s", "dev", "--non-interactive"],
        cwd=stack.directory,
        env={**os.environ, **stack.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 20
    while len(neon.requests) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)

    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)

    assert time.monotonic() - started < 5
    assert process.returncode != 0
    assert "Traceback" not in output
    assert len(neon.requests) < 6
