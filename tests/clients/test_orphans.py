"""Plugins that a killed engine left running are found, and nothing else is taken for one: with real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments.clients.orphans import Orphan, orphans

SECONDS = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A program's folder, and beside it a plugin that waits; an interpreter runs it, so that its name stays."""
    (tmp_path / "program").mkdir()
    plugin = tmp_path / "pulumi-resource-vercel"
    plugin.write_text("import time\ntime.sleep(60)\n")
    return tmp_path / "program"


@pytest.fixture
def engine(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process called pulumi that starts the plugin in the program's folder and prints the plugin's id."""
    program = folder.parent / "pulumi"
    shutil.copy(shutil.which("sh") or "/bin/sh", program)
    plugin = folder.parent / "pulumi-resource-vercel"
    starts = f"{sys.executable} {plugin} & echo $!; wait"
    with subprocess.Popen([program, "-c", starts], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_plugin_is_an_orphan_once_its_engine_is_gone(folder: Path, engine: subprocess.Popen[str]) -> None:
    assert engine.stdout
    pid = int(engine.stdout.readline())
    try:
        wait_for_name(pid)
        assert orphans(folder) == [], "its engine lives"
        engine.send_signal(signal.SIGKILL)
        engine.wait(SECONDS)
        assert orphans(folder) == [Orphan(pid, "pulumi-resource-vercel")]
        assert orphans(folder.parent / "elsewhere") == [], "it works for another program"
    finally:
        os.kill(pid, signal.SIGKILL)
    assert orphans(folder) == []


def test_other_processes_in_the_folder_are_none_and_elsewhere_than_linux_there_are_none(folder: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)", "pulumi-resource-x"]
    with subprocess.Popen(command, cwd=folder) as other:
        try:
            assert orphans(folder) == []
        finally:
            other.kill()
    assert orphans(folder, folder / "no-proc") == []


def wait_for_name(pid: int) -> None:
    """Wait until the process has become what it is to be."""
    deadline = time.monotonic() + SECONDS
    while b"pulumi-resource" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
