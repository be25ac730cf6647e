"""What a killed engine leaves in a file backend: a lock that may be removed or not, and notes that are half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from environments.clients.file_backend import FileBackend, Lock
from environments.errors import StateError


def lock(pid: int, *, written: datetime, host: str = "") -> Lock:
    return Lock(pid, host or os.uname().nodename, written)


def test_an_engine_that_runs_keeps_its_lock() -> None:
    assert lock(os.getpid(), written=datetime.now(UTC)).may_be_held()


def test_an_engine_that_has_ended_does_not() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not lock(ended.pid, written=datetime.now(UTC)).may_be_held()


def test_a_process_that_began_after_the_lock_was_written_has_only_its_id() -> None:
    assert not lock(os.getpid(), written=datetime.now(UTC) - timedelta(days=1)).may_be_held()


def test_an_engine_on_another_machine_may_run() -> None:
    assert lock(1, written=datetime.now(UTC), host="elsewhere").may_be_held()


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    return FileBackend(tmp_path / ".pulumi")


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_a_stacks_locks_are_those_of_its_project_and_name(backend: FileBackend) -> None:
    note = {"pid": 12, "username": "u", "hostname": "here", "timestamp": "2026-11-01T12:00:00.123456789+01:00"}
    for stack in ("shop/prod", "shop/dev", "other/prod"):
        write(backend.folder / "locks" / "organization" / stack, "id.json", json.dumps(note))
    (found,) = backend.locks("shop/prod")
    assert (found.pid, found.host) == (12, "here")
    assert found.holder == "process 12 on here, since 2026-11-01T12:00:00.123456+01:00"
    assert backend.locks("shop/staging") == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": 1, "timestamp": "yesterday"}'])
def test_a_lock_that_is_none_is_named(backend: FileBackend, text: str) -> None:
    file = write(backend.folder / "locks" / "organization" / "shop" / "prod", "id.json", text)
    with pytest.raises(StateError, match=rf"{file} is not a lock of Pulumi's"):
        backend.locks("shop/prod")


def test_only_notes_that_are_half_written_are_deleted(backend: FileBackend) -> None:
    stacks = backend.folder / "stacks" / "shop"
    whole, state = write(stacks, "dev.json.attrs", "{}"), write(stacks, "prod.json", "")
    broken = write(stacks, "prod.json.attrs", "")
    assert backend.repair()
    assert (whole.exists(), state.exists(), broken.exists()) == (True, True, False)
    assert not backend.repair()
