"""Whose lock may be taken away: that of an engine that is gone, whoever has its process id now."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from environments.clients.pulumi import _may_live


def lock(pid: int, *, written: datetime, host: str | None = None) -> dict[str, object]:
    return {"pid": pid, "hostname": host or os.uname().nodename, "timestamp": written.isoformat()}


def test_an_engine_that_runs_keeps_its_lock() -> None:
    assert _may_live(lock(os.getpid(), written=datetime.now(UTC)))


def test_an_engine_that_has_ended_does_not() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not _may_live(lock(ended.pid, written=datetime.now(UTC)))


def test_a_process_that_began_after_the_lock_was_written_has_only_its_id() -> None:
    assert not _may_live(lock(os.getpid(), written=datetime.now(UTC) - timedelta(days=1)))


def test_an_engine_on_another_machine_may_live() -> None:
    assert _may_live(lock(1, written=datetime.now(UTC), host="elsewhere"))
