"""What recovery does and says, step by step: with a stand-in for the stack and for both clouds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest

from environments.clients import neon, providers
from environments.clients.file_backend import Lock
from environments.clients.neon import Neon
from environments.clients.orphans import Orphan
from environments.clients.pulumi import Checkpoint, Plan, Resource, Stack
from environments.clients.vercel import Vercel
from environments.commands.recover import command
from environments.commands.recover.command import InTheWayError, recover
from environments.ids import BranchId, Lsn, NeonProject, StackName
from environments.props import UNKNOWN_VALUE

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PROVIDER = "urn:pulumi:dev::shop::pulumi:providers:neon::default_0_15_0::id"
PROJECT: dict[str, Any] = {
    "urn": f"urn:pulumi:dev::shop::{providers.NEON_PROJECT}::shop",
    "type": providers.NEON_PROJECT,
    "custom": True,
    "provider": PROVIDER,
    "inputs": {"name": "shop"},
}
BRANCH: dict[str, Any] = {
    "urn": f"urn:pulumi:dev::shop::{providers.NEON_BRANCH}::dev",
    "type": providers.NEON_BRANCH,
    "custom": True,
    "provider": PROVIDER,
    "inputs": {"name": "dev", "projectId": "late-frost-1", "parentId": "br-main"},
}
LATER = BRANCH | {"inputs": BRANCH["inputs"] | {"projectId": UNKNOWN_VALUE, "parentId": UNKNOWN_VALUE}}


def checkpoint(*resources: Mapping[str, Any], pending: Mapping[str, Any] | None = None) -> Checkpoint:
    deployment: dict[str, Any] = {"manifest": {"time": NOON.isoformat()}, "resources": list(resources)}
    if pending:
        deployment["pending_operations"] = [{"type": "creating", "resource": pending}]
    return Checkpoint.of(json.dumps({"deployment": deployment}))


def plan(*creates: Mapping[str, Any], problem: str = "") -> Plan:
    return Plan(tuple(map(Resource.of, creates)), problem)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """A stack whose update was killed at noon, and nothing is pending."""
    for token in ("NEON_API_KEY", "VERCEL_API_TOKEN"):
        monkeypatch.setenv(token, "token")
    found: MagicMock = create_autospec(Stack, instance=True)
    found.name, found.folder = StackName("dev"), tmp_path
    found.repair_backend.return_value = False
    found.unlock.return_value = [Lock(7, "host", NOON)]
    found.history.return_value = []
    found.export.return_value = checkpoint()
    return found


@pytest.fixture
def neons(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Neon with an empty project `shop`, which has a branch `dev` besides once that is asked for."""
    found: MagicMock = create_autospec(Neon, instance=True)
    found.__enter__.return_value = found
    found.projects.return_value = [neon.Project(NeonProject("late-frost-1"), "shop", NOON + timedelta(seconds=5), 18)]
    found.branches.return_value = [branch("dev", "br-main")]
    found.address_of.return_value = None
    monkeypatch.setattr(command, "Neon", lambda: found)
    vercels: MagicMock = create_autospec(Vercel, instance=True)
    vercels.__enter__.return_value = vercels
    monkeypatch.setattr(command, "Vercel", lambda: vercels)
    return found


def branch(name: str, parent: str, created: datetime = NOON + timedelta(seconds=9)) -> neon.Branch:
    return neon.Branch(
        BranchId(f"br-{name}"), name, created, BranchId(parent), Lsn(""), protected=False, expires_at="", init_source=""
    )


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().out


def taken(stack: MagicMock) -> list[list[str | None]]:
    return [[each.id for each in call.args[0].resources if each.id] for call in stack.take_in.call_args_list]


@pytest.mark.usefixtures("neons")
def test_a_project_is_taken_over_first_and_then_what_lies_in_it(stack: MagicMock, said: Callable[[], str]) -> None:
    stack.plan.side_effect = [plan(PROJECT, LATER), plan(BRANCH), plan()]
    recover(stack, unlock=False)
    assert taken(stack) == [["late-frost-1"], ["late-frost-1/br-dev"]]
    given = {PROJECT["urn"]: {"name"}, BRANCH["urn"]: {"name", "projectId", "parentId"}}
    stack.settle.assert_called_once_with(given)
    told = said()
    assert "it exists as late-frost-1, this stack made it, and it is taken over" in told
    assert told.endswith("Recovered. Now: pulumi up -s dev\n")
    stack.refresh.assert_called_once()


@pytest.mark.usefixtures("neons")
def test_where_the_preview_stops_what_the_engine_was_creating_is_taken_over_all_the_same(
    stack: MagicMock, said: Callable[[], str]
) -> None:
    stack.export.side_effect = [checkpoint(pending=BRANCH), checkpoint()]
    stack.plan.return_value = plan(problem="the stack file is wrong")
    recover(stack, unlock=False)
    assert taken(stack) == [["late-frost-1/br-dev"]]
    assert "The preview did not come to its end" in said()


@pytest.mark.usefixtures("neons")
def test_what_was_created_and_is_no_longer_wanted_is_left_and_told(stack: MagicMock, said: Callable[[], str]) -> None:
    stack.export.side_effect = [checkpoint(pending=BRANCH), checkpoint()]
    stack.plan.return_value = plan()
    recover(stack, unlock=False)
    assert taken(stack) == []
    assert (
        "it exists as br-dev, this stack made it, and the stack file no longer wants it. It is left as it is" in said()
    )


def test_what_was_not_created_and_what_is_gone_is_told(
    stack: MagicMock, neons: MagicMock, said: Callable[[], str]
) -> None:
    neons.branches.return_value = []
    gone = PROJECT | {"id": "late-frost-0"}
    stack.export.side_effect = [checkpoint(gone, pending=BRANCH), checkpoint()]
    stack.plan.return_value = plan(BRANCH)
    recover(stack, unlock=False)
    told = said()
    assert "dev (neon:index/branch:Branch): its creation was cut short; pulumi up creates it" in told
    assert "shop (neon:index/project:Project): late-frost-0 no longer exists, and is forgotten" in told


def test_what_is_somebody_elses_is_refused_after_the_rest_is_recovered(
    stack: MagicMock, neons: MagicMock, said: Callable[[], str]
) -> None:
    neons.branches.side_effect = [[], [branch("dev", "br-main", NOON - timedelta(hours=2))]]
    stack.plan.side_effect = [plan(PROJECT, BRANCH), plan(BRANCH)]
    with pytest.raises(InTheWayError, match=r"the rest is recovered, but .*:\n  - dev .* exists as br-dev, made at"):
        recover(stack, unlock=False)
    assert taken(stack) == [["late-frost-1"]]
    assert "Now: pulumi up" not in said()


def test_of_two_projects_the_one_to_delete_is_named(
    stack: MagicMock, neons: MagicMock, said: Callable[[], str]
) -> None:
    second = neon.Project(NeonProject("late-frost-2"), "shop", NOON + timedelta(seconds=7), 18)
    neons.projects.return_value = [second, *neons.projects.return_value]
    stack.plan.side_effect = [plan(PROJECT)]
    recover(stack, unlock=False)
    assert taken(stack) == [["late-frost-1"]]
    assert "Nothing uses late-frost-2, which is empty: delete it in Neon's console" in said()


@pytest.mark.usefixtures("neons")
def test_pending_operations_stay_until_all_is_taken_over_since_a_second_run_needs_them(stack: MagicMock) -> None:
    stack.unlock.return_value = []
    stack.export.side_effect = [checkpoint(pending=BRANCH), checkpoint()] * 2
    stack.plan.return_value = plan(BRANCH)
    stack.take_in.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        recover(stack, unlock=False)
    stack.settle.assert_not_called()
    stack.take_in.side_effect = None
    recover(stack, unlock=False)
    stack.settle.assert_called_once()


@pytest.mark.usefixtures("neons")
def test_a_stack_that_needs_no_recovery_is_not_written(stack: MagicMock) -> None:
    stack.plan.return_value = plan()
    recover(stack, unlock=False)
    stack.take_in.assert_not_called()
    stack.settle.assert_not_called()


@pytest.mark.usefixtures("neons")
def test_processes_that_a_killed_engine_left_running_are_named(
    stack: MagicMock, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "orphans", lambda _: [Orphan(4711, "pulumi-resource-vercel")])
    stack.plan.return_value = plan()
    recover(stack, unlock=False)
    assert "pulumi-resource-vercel, process 4711, is left over" in said()
