"""What the engine starts ends with it, although a killed engine can end nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from localcloud.cloud import ROOT
from localcloud.processes import Identity

pytestmark = pytest.mark.slow

SECONDS = 30


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "localcloud.plugins.serve", "vercel"],
        ["-m", "localcloud.plugins.serve", "terraform-provider"],
        [str(ROOT / "localcloud" / "engine" / "language_host.py")],
    ],
    ids=["vercel", "neon", "language host"],
)
def test_it_ends_when_the_engine_was_killed(command: list[str]) -> None:
    starts = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", starts, sys.executable, "-u", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdout is not None
        pid, port = (int(engine.stdout.readline()) for _ in range(2))
        assert port > 0
        assert Identity.of(pid)
        engine.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + SECONDS
        while Identity.of(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = Identity.of(pid)
        if left:
            os.kill(pid, signal.SIGKILL)
    assert not left
