"""pg_dump: a whole database as of one snapshot, into a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from environments.database.copy.programs import JOBS, LOCK_WAIT, Tools, connection_of, start


def start_dump(tools: Tools, uri: str, snapshot: str, target: Path) -> subprocess.Popen[str]:
    """Begin to dump the whole database as of an exported snapshot into the new folder `target`."""
    arguments = [
        "--format=directory",
        f"--jobs={JOBS}",
        "--compress=1",
        f"--file={target}",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT}",
        "--no-password",
    ]
    return start(tools, "pg_dump", arguments, connection_of(uri))
