"""What the engine prints becomes dataclasses, and its command line gets what it needs: with a stand-in for `pulumi`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from environments.clients.providers import NEON_BRANCH, BranchInputs
from environments.clients.pulumi import (
    Checkpoint,
    EngineError,
    ImportedResource,
    ImportFile,
    LockedError,
    NoProgramError,
    Resource,
    Stack,
    Update,
    Urn,
    program_folder,
)
from environments.errors import StateError
from environments.ids import BranchId, NeonProject, StackName
from environments.props import UNKNOWN, UNKNOWN_VALUE

URN = Urn("urn:pulumi:prod::shop::environments:index:Environment$neon:index/branch:Branch::prod-v2")
BRANCH: dict[str, Any] = {
    "urn": URN,
    "custom": True,
    "type": NEON_BRANCH,
    "inputs": {"__defaults": [], "projectId": "late-frost-1", "name": "prod-v2", "parentId": "br-dev"},
    "parent": "urn:pulumi:prod::shop::environments:index:Environment::prod",
    "provider": "urn:pulumi:prod::shop::pulumi:providers:neon::default_0_15_0::f3c1-id",
}
STATE: dict[str, Any] = {
    "version": 3,
    "deployment": {
        "manifest": {"time": "2026-11-01T12:00:00.123456789+01:00", "version": "v3.259.0"},
        "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:x"}},
        "resources": [{"urn": "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod", "type": "pulumi:pulumi:Stack"}],
        "pending_operations": [
            {"resource": BRANCH, "type": "creating"},
            {"resource": BRANCH | {"urn": "urn:other"}, "type": "updating"},
        ],
    },
}

PULUMI = """#!/bin/sh
echo "$*" >> "$STUB/calls"
while [ $# -gt 0 ]; do
  [ "$1" = --file ] && cp "$2" "$STUB/given"
  case "$1" in stack|whoami|preview|cancel|refresh|import) [ -f "$STUB/$1" ] && cat "$STUB/$1" ;; esac
  shift
done
[ ! -f "$STUB/error" ] || { cat "$STUB/error" >&2; exit 255; }
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `pulumi` first on PATH, which notes its calls there and prints what its files hold."""
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / "pulumi").write_text(PULUMI)
    (folder / "pulumi").chmod(0o755)
    (folder / "whoami").write_text(json.dumps({"user": "u", "url": f"file://{tmp_path}/back%20end"}))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STUB", str(folder))
    return folder


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    return Stack(tmp_path, StackName("prod"))


def test_a_program_is_found_from_its_folder_and_from_below(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (below := tmp_path / "app" / "db").mkdir(parents=True)
    assert program_folder(tmp_path) == program_folder(below) == tmp_path
    with pytest.raises(NoProgramError, match=r"there is no Pulumi.yaml in /proc or above it"):
        program_folder(Path("/proc"))


def test_a_checkpoint_names_the_creates_that_were_cut_short(stub: Path, stack: Stack) -> None:
    (stub / "stack").write_text(json.dumps(STATE))
    checkpoint = stack.export()
    assert checkpoint.written_at == datetime(2026, 11, 1, 11, 0, 0, 123456, tzinfo=UTC)
    (pending,) = checkpoint.pending_creates
    assert (pending.urn, pending.name, pending.token, pending.custom) == (URN, "prod-v2", NEON_BRANCH, True)
    assert pending.provider == "urn:pulumi:prod::shop::pulumi:providers:neon::default_0_15_0"
    assert pending.inputs(BranchInputs) == BranchInputs(
        project_id=NeonProject("late-frost-1"), name="prod-v2", parent_id=BranchId("br-dev")
    )
    assert (stub / "calls").read_text() == "stack export -s prod --non-interactive\n"


def test_a_settled_state_has_no_pending_operations_and_of_an_import_the_inputs_that_the_program_gives(
    stub: Path, stack: Stack
) -> None:
    imported = BRANCH | {"id": "br-1", "inputs": BRANCH["inputs"] | {"parentLsn": "0/1", "parentTimestamp": 1}}
    other = imported | {"urn": "urn:other"}
    whole = STATE["deployment"] | {"resources": [imported, other]}
    (stub / "stack").write_text(json.dumps(STATE | {"deployment": whole}))
    assert stack.export().unfinished
    stack.settle({URN: frozenset(BRANCH["inputs"])})
    given = json.loads((stub / "given").read_text())
    kept = {key: each for key, each in whole.items() if key != "pending_operations"}
    assert given == STATE | {"deployment": kept | {"resources": [BRANCH | {"id": "br-1"}, other]}}
    assert not Checkpoint.of(json.dumps(given)).unfinished


def test_a_state_began_with_its_first_resource_or_when_it_was_written() -> None:
    made = [BRANCH | {"created": f"2026-10-0{day}T12:00:00Z"} for day in (3, 2)]
    state = STATE | {"deployment": STATE["deployment"] | {"resources": made}}
    assert Checkpoint.of(json.dumps(state)).began_at == datetime(2026, 10, 2, 12, tzinfo=UTC)
    bare = Checkpoint.of(json.dumps(STATE))
    assert bare.began_at == bare.written_at


def test_a_history_has_the_newest_first(stub: Path, stack: Stack) -> None:
    runs = [
        {"kind": "update", "result": "succeeded", "startTime": "2026-11-01T12:00:00.000Z", "endTime": None},
        {
            "kind": "refresh",
            "result": "failed",
            "startTime": "2026-11-01T13:00:00.000Z",
            "endTime": "2026-11-01T13:01:00.000Z",
        },
    ]
    (stub / "stack").write_text(json.dumps(runs))
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert stack.history() == [
        Update("refresh", "failed", noon + timedelta(hours=1), noon + timedelta(minutes=61)),
        Update("update", "succeeded", noon, None),
    ]
    assert (stub / "calls").read_text().startswith("stack history --json --page-size 100 -s prod")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"deployment": null}', '{"deployment": {"manifest": {"time": "x"}}}']
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(StateError, match="printed no state that can be read"):
        Checkpoint.of(text)


def test_inputs_of_another_shape_are_refused_with_the_resources_name() -> None:
    wrong = Resource.of(BRANCH | {"inputs": BRANCH["inputs"] | {"name": 3}})
    with pytest.raises(StateError, match=r"prod-v2 \(neon:index/branch:Branch\): name is 3"):
        wrong.inputs(BranchInputs)


def test_a_preview_names_what_would_be_created_with_ids_that_may_be_unknown(stub: Path, stack: Stack) -> None:
    new = BRANCH | {"inputs": BRANCH["inputs"] | {"projectId": UNKNOWN_VALUE}}
    steps = [{"op": "same", "urn": "x", "newState": BRANCH}, {"op": "create", "urn": URN, "newState": new}]
    (stub / "preview").write_text(json.dumps({"steps": steps}))
    (create,) = stack.creates({})
    assert create.inputs(BranchInputs).project_id is UNKNOWN


def test_a_preview_that_failed_says_why_and_not_how(stub: Path, stack: Stack) -> None:
    said = [{"severity": "info", "message": "x"}, {"severity": "error", "message": "the stack file is wrong\n"}]
    (stub / "preview").write_text(json.dumps({"diagnostics": said}))
    (stub / "error").write_text("exit status 255\n")
    with pytest.raises(EngineError) as failed:
        stack.creates({})
    assert str(failed.value) == "pulumi preview failed:\nthe stack file is wrong"


def test_what_a_failed_preview_came_to_is_planned_all_the_same(stub: Path, stack: Stack) -> None:
    said = [{"severity": "error", "message": "refused\n"}]
    steps = [{"op": "create", "urn": URN, "newState": BRANCH}]
    (stub / "preview").write_text(json.dumps({"diagnostics": said, "steps": steps}))
    (stub / "error").write_text("exit status 255\n")
    plan = stack.plan({})
    assert ([each.urn for each in plan.creates], plan.problem) == ([URN], "refused")


def test_an_import_file_is_written_in_the_engines_words(stub: Path, stack: Stack) -> None:
    component = ImportedResource(type="a:b:C", name="a:b:C::x", logical_name="x", component=True)
    stack.take_in(ImportFile(name_table={"p": URN}, resources=(component,)))
    assert json.loads((stub / "given").read_text()) == {
        "nameTable": {"p": URN},
        "resources": [{"type": "a:b:C", "name": "a:b:C::x", "logicalName": "x", "component": True}],
    }


def lock(tmp_path: Path, pid: int) -> None:
    folder = tmp_path / "back end" / ".pulumi" / "locks" / "organization" / "shop" / "prod"
    folder.mkdir(parents=True)
    note = {"pid": pid, "hostname": os.uname().nodename, "timestamp": datetime.now(UTC).isoformat()}
    (folder / "id.json").write_text(json.dumps(note))


def test_a_lock_that_may_be_held_is_removed_only_by_force(stub: Path, stack: Stack, tmp_path: Path) -> None:
    lock(tmp_path, os.getpid())
    with pytest.raises(LockedError, match=rf"prod is being updated by process {os.getpid()} on .*add --unlock"):
        stack.unlock(force=False)
    assert "cancel" not in (stub / "calls").read_text()
    assert [each.pid for each in stack.unlock(force=True)] == [os.getpid()]
    assert "cancel --yes -s prod" in (stub / "calls").read_text()


def test_where_there_is_no_lock_nothing_is_cancelled_unless_by_force(stub: Path, stack: Stack) -> None:
    assert not stack.unlock(force=False)
    (stub / "whoami").write_text(json.dumps({"url": "https://app.pulumi.com/u"}))
    assert not stack.unlock(force=False)
    assert "cancel" not in (stub / "calls").read_text()
    stack.unlock(force=True)
    assert "cancel --yes -s prod" in (stub / "calls").read_text()


def test_a_missing_engine_is_named(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="pulumi is not on PATH"):
        stack.export()
