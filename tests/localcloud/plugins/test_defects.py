"""The behaviour of the original providers that a stack has to guard against: here as there."""

from typing import Any, cast

import pytest

from tests.localcloud.plugins.neon_stub import NeonStub
from tests.localcloud.plugins.recorder import Recorder
from tests.localcloud.plugins.stack import Declared, Stack

pytestmark = pytest.mark.e2e

PROJECT: tuple[str, dict[str, Any], dict[str, Any]] = ("neon.Project", {"name": "app"}, {})
VARIABLE = {"project_id": "$site.id", "key": "URL", "value": "one", "sensitive": True, "targets": ["production"]}
SITE: tuple[str, dict[str, Any], dict[str, Any]] = ("vercel.Project", {"name": "site"}, {})


def branch(**properties: object) -> Declared:
    return {
        "project": PROJECT,
        "branch": ("neon.Branch", {"project_id": "$project.id", "name": "dev", **properties}, {}),
    }


def test_a_changed_parent_is_reported_as_updated_and_never_sent(stack: Stack, neon: Recorder) -> None:
    stack.up(branch(parent_id="$project.default_branch_id"))
    neon.taken()

    output = stack.up(branch(parent_id="br-elsewhere"))

    assert "1 updated" in output
    assert neon.taken() == []
    assert stack.resources()["branch"]["outputs"]["parentId"] == "br-elsewhere"
    stack.run("refresh", "--yes", "--skip-preview", "-s", "dev")
    assert stack.resources()["branch"]["outputs"]["parentId"] == "br-2"


@pytest.mark.parametrize("status", [404, 422])
def test_a_delete_that_is_refused_drops_the_branch_from_the_state(stack: Stack, neon: Recorder, status: int) -> None:
    stack.up(branch())
    neon.fail("DELETE .*/branches/", status, "branch has children")

    stack.up({"project": PROJECT})

    assert "branch" not in stack.resources()
    assert any(each["name"] == "dev" for each in cast("NeonStub", neon.answer).branches.values())


def test_a_throttled_password_makes_a_project_for_each_attempt(stack: Stack, neon: Recorder) -> None:
    neon.fail("reveal_password", 429, times=2)

    stack.up({"project": PROJECT})

    assert len(cast("NeonStub", neon.answer).projects) == 3


@pytest.mark.parametrize("status", [409, 503])
def test_other_errors_fail_at_once_with_neons_own_words(stack: Stack, neon: Recorder, status: int) -> None:
    neon.fail("POST .*/projects", status, "name is taken")

    output = stack.up({"project": PROJECT}, ok=False)

    assert f"POST /projects: {status} name is taken" in output
    assert neon.taken() == ["POST /api/v2/projects"]


def test_an_operation_is_awaited_and_one_that_failed_counts_as_done(stack: Stack, neon: Recorder) -> None:
    stack.up({"project": PROJECT})
    neon.taken()
    cast("NeonStub", neon.answer).new_operations = ["scheduling", "running", "failed"]

    stack.up(branch())

    assert neon.taken() == [
        "POST /api/v2/projects/proj-1/branches",
        "GET /api/v2/projects/proj-1/operations/op-5",
        "GET /api/v2/projects/proj-1/operations/op-5",
    ]


def test_functions_answer_empty_when_their_request_fails(stack: Stack, neon: Recorder) -> None:
    asked = {"project_id": "$project.id", "branch_id": "$project.default_branch_id"}
    declared: Declared = {
        "project": PROJECT,
        "branches": ("neon.get_branches", {"project_id": "$project.id"}, {}),
        "endpoints": ("neon.get_branch_endpoints", asked, {}),
        "roles": ("neon.get_branch_roles", asked, {}),
        "password": ("neon.get_branch_role_password", {**asked, "role_name": "owner"}, {}),
    }
    stack.up(declared)
    found = stack.outputs()
    assert found["password"]["password"] == "sekret-of-neon"
    assert [each["name"] for each in found["branches"]["branches"]] == ["main"]
    assert [each["name"] for each in found["roles"]["roles"]] == ["owner"]
    assert [each["type"] for each in found["endpoints"]["endpoints"]] == ["read_write"]

    neon.fail("GET .*/branches", 500)
    stack.up(declared)

    found = stack.outputs()
    assert found["password"]["password"] == ""
    assert (found["branches"]["branches"], found["roles"]["roles"], found["endpoints"]["endpoints"]) == ([], [], [])


def test_another_default_branch_plans_a_new_project_where_its_branch_is_declared(stack: Stack, neon: Recorder) -> None:
    declared: Declared = {"project": ("neon.Project", {"name": "app", "branch": {"name": "main"}}, {})}
    stack.up(declared)
    there = cast("NeonStub", neon.answer).branches
    there["br-2"]["name"] = "other"

    stack.run("refresh", "--yes", "--skip-preview", "-s", "dev")

    assert stack.steps(declared)["project"] == "replace"
    assert "project" not in stack.steps({"project": PROJECT})


def test_a_pooled_endpoint_tells_the_poolers_host(stack: Stack) -> None:
    endpoint = {"project_id": "$project.id", "branch_id": "$branch.id"}
    stack.up({**branch(), "endpoint": ("neon.Endpoint", endpoint, {})})
    assert stack.resources()["endpoint"]["outputs"]["host"] == "ep-5.local.test"

    stack.up({**branch(), "endpoint": ("neon.Endpoint", {**endpoint, "pooler_enabled": True}, {})})

    assert stack.resources()["endpoint"]["outputs"]["host"] == "ep-5-pooler.local.test"


def test_a_project_whose_only_endpoint_is_disabled_cannot_be_read(stack: Stack, neon: Recorder) -> None:
    stack.up({"project": PROJECT})
    cast("NeonStub", neon.answer).endpoints["ep-3"]["disabled"] = True

    output = stack.run("refresh", "--yes", "--skip-preview", "-s", "dev", ok=False)

    assert "its default branch br-2 has no enabled read-write endpoint" in output


def test_a_replaced_variable_conflicts_with_the_one_that_it_replaces(stack: Stack) -> None:
    stack.up({"site": SITE, "url": ("vercel.ProjectEnvironmentVariable", VARIABLE, {})})
    open_to_all = {**VARIABLE, "sensitive": False}

    output = stack.up({"site": SITE, "url": ("vercel.ProjectEnvironmentVariable", open_to_all, {})}, ok=False)
    assert "A variable with the name `URL` already exists (ENV_CONFLICT)" in output

    first_gone = {"delete_before_replace": True}
    stack.up({"site": SITE, "url": ("vercel.ProjectEnvironmentVariable", open_to_all, first_gone)})


def test_drift_of_a_sensitive_value_is_never_seen(stack: Stack, vercel: Recorder) -> None:
    declared: Declared = {"site": SITE, "url": ("vercel.ProjectEnvironmentVariable", VARIABLE, {})}
    stack.up(declared)
    next(iter(vercel.answer.variables.values()))["value"] = "changed elsewhere"  # type: ignore[attr-defined]

    stack.run("preview", "--refresh", "--expect-no-changes", "-s", "dev")


def test_a_sensitive_variable_for_development_is_refused_in_the_preview(stack: Stack) -> None:
    wrong = {**VARIABLE, "targets": ["development"]}
    stack.declare({"site": SITE, "url": ("vercel.ProjectEnvironmentVariable", wrong, {})})

    output = stack.run("preview", "-s", "dev", ok=False)

    assert "a sensitive environment variable cannot have the target development" in output


def test_vercel_is_asked_again_three_times_when_it_throttles_and_never_otherwise(
    stack: Stack, vercel: Recorder
) -> None:
    vercel.fail("POST /v8/projects", 429, times=3)
    stack.up({"site": SITE})
    assert vercel.taken()[:4] == ["POST /v8/projects"] * 4

    vercel.fail("PATCH", 500)
    stack.up({"site": ("vercel.Project", {"name": "other"}, {})}, ok=False)
    assert vercel.taken() == ["PATCH /v9/projects/prj_1"]
