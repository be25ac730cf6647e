"""The `pulumi` command, as recovery needs it: export, cancel, refresh."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
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


def take_over(stack: str, checkpoint: dict[str, Any], made: dict[str, str]) -> None:
    """Write the pending creates in `made` (URN to id) into the stack's state and drop the other pending operations.

    `pulumi refresh --import-pending-creates` is made for this, but version 3.259 drops what it is told to import (run
    and seen). Secrets in the checkpoint are encrypted and stay so.
    """
    deployment = checkpoint["deployment"]
    for operation in deployment.pop("pending_operations", None) or []:
        resource = operation["resource"]
        if operation["type"] == "creating" and resource["urn"] in made:
            deployment["resources"].append(resource | {"id": made[resource["urn"]], "outputs": resource["inputs"]})
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(checkpoint, file)
        file.flush()
        _run("stack", "import", "--file", file.name, "-s", stack)


def refresh(stack: str) -> None:
    """Read everything in the stack's state as it really is."""
    _run("refresh", "--yes", "--skip-preview", "-s", stack, shown=True)


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
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise EngineError(f"pulumi {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout or ""
