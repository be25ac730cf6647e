"""The `pulumi` command, as recovery needs it: export, cancel, refresh."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any


class EngineError(Exception):
    """`pulumi` ended with an error."""


def export(stack: str) -> dict[str, Any]:
    """Return a stack's state with its secrets still encrypted."""
    checkpoint: dict[str, Any] = json.loads(_run("stack", "export", "-s", stack))
    return checkpoint


def unlock(stack: str) -> bool:
    """Take away the lock of an engine that is dead; return whether there was one.

    Raises EngineError while that engine may be alive.
    """
    locks = _locks(stack)
    for lock in locks:
        holder = json.loads(lock.read_text())
        if holder.get("hostname") not in (None, os.uname().nodename) or _alive(int(holder["pid"])):
            who = f"process {holder['pid']} on {holder.get('hostname', 'this machine')}"
            raise EngineError(f"{stack} is being updated by {who}: let it end, or end it, then run this again")
    if locks:
        _run("cancel", "--yes", "-s", stack)
    return bool(locks)


def refresh(stack: str, imports: dict[str, str]) -> None:
    """Bring the state in line with what is there; `imports` maps URNs of pending creates to ids, others are cleared."""
    pairs = [word for pair in imports.items() for word in pair]
    arguments = [f"--import-pending-creates={word}" for word in pairs]
    _run("refresh", "--yes", "--skip-preview", "--clear-pending-creates", *arguments, "-s", stack, shown=True)


def _locks(stack: str) -> list[Path]:
    """Return the lock files of a file backend; other backends keep their own, which `pulumi cancel` takes away."""
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    if not backend.startswith("file://"):
        return []
    folder = Path(backend.removeprefix("file://")).expanduser() / ".pulumi" / "locks"
    return [path for path in folder.rglob("*.json") if path.parent.name == stack]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _run(*arguments: str, shown: bool = False) -> str:
    command = ["pulumi", *arguments, "--non-interactive"]
    out = None if shown else subprocess.PIPE
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - no shell
    if done.returncode:
        raise EngineError(f"pulumi {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout or ""
