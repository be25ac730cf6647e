"""The `pulumi` command, as recovery and adoption need it: export, cancel, refresh; preview, import."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from environments.clients.adopting import ADOPTING

_CLOCK_TICK = 2.0
"""Seconds: the time of boot, from which a process' start is counted, is told in whole ones."""


class EngineError(Exception):
    """`pulumi` ended with an error."""


def export(stack: str) -> dict[str, Any]:
    """Return a stack's state with its secrets still encrypted."""
    checkpoint: dict[str, Any] = json.loads(_run("stack", "export", "-s", stack))
    return checkpoint


def mend_backend() -> bool:
    """Delete the notes that an engine left half-written beside its files; return whether there were any.

    A file backend replaces each file by a rename, so a kill never leaves half a state. But beside each it keeps its
    content type in `.attrs`, which it writes in place (gocloud.dev's fileblob, `setAttrs`): with an empty one every
    command ends with "failed to load checkpoint: EOF". A missing one does no harm.
    """
    backend = _backend()
    broken = [note for note in backend.rglob("*.attrs") if not _is_json(note)] if backend else []
    for note in broken:
        note.unlink(missing_ok=True)
    return bool(broken)


def unlock(stack: str, *, force: bool) -> bool:
    """Take away the lock of an engine that is gone; return whether there was one.

    Raises EngineError while that engine may be alive, unless `force` says that somebody has made sure that it is not.
    """
    locks = _locks(stack)
    for lock in locks:
        holder = json.loads(lock.read_text())
        if not force and _may_live(holder):
            who = f"process {holder['pid']} on {holder.get('hostname', 'this machine')}, since {holder['timestamp']}"
            raise EngineError(
                f"{stack} is being updated by {who}: let it end, then run this again. If that process is gone for "
                "certain, add --unlock"
            )
    if locks or force:
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


def preview(stack: str) -> dict[str, Any]:
    """Return what an update would do, as JSON; nothing is refused for being there already."""
    command = ["pulumi", "preview", "--json", "-s", stack, "--non-interactive"]
    done = _ended(command, {ADOPTING: "1"})
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        told = {}
    if done.returncode:
        said = [found["message"].strip() for found in told.get("diagnostics", []) if found["severity"] == "error"]
        raise EngineError("pulumi preview failed:\n" + ("\n".join(said) or done.stderr.strip()))
    return told


def take_in(stack: str, wanted: dict[str, Any]) -> None:
    """Have `pulumi import` read what the import file `wanted` names, into the stack's state.

    What it prints is kept back: it warns of each input that the provider doesn't tell, a secret's value above all.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(wanted, file)
        file.flush()
        _run("import", "--file", file.name, "-s", stack, "--yes", "--skip-preview", "--generate-code=false")


def _locks(stack: str) -> list[Path]:
    """Return the lock files of a file backend; other backends keep their own, which --unlock takes away."""
    if not (backend := _backend()):
        return []
    name = Path(_qualified(stack))
    return [path for path in (backend / "locks").rglob("*.json") if path.parent.parts[-len(name.parts) :] == name.parts]


def _backend() -> Path | None:
    """Return the folder of a file backend; None for the others."""
    url = urlsplit(json.loads(_run("whoami", "--json")).get("url", ""))
    return Path(unquote(url.netloc + url.path)).expanduser() / ".pulumi" if url.scheme == "file" else None


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _qualified(stack: str) -> str:
    """Return the stack's name with its project's, as the backend keeps it."""
    project = yaml.safe_load(Path("Pulumi.yaml").read_text())["name"]
    return stack if "/" in stack else f"{project}/{stack}"


def _may_live(holder: dict[str, Any]) -> bool:
    """Tell whether the engine that wrote a lock may still run: on another machine, or under its id on this one.

    A process that began after the lock was written has only got the id of one that is gone.
    """
    if holder.get("hostname") not in (None, os.uname().nodename):
        return True
    pid = int(holder["pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    began = _began(pid)
    return began is None or began <= datetime.fromisoformat(holder["timestamp"]).timestamp() + _CLOCK_TICK


def _began(pid: int) -> float | None:
    """Return when a process began, in seconds since 1970; None where the system doesn't tell (it isn't Linux)."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except FileNotFoundError:
        return None
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


def _run(*arguments: str, shown: bool = False) -> str:
    done = _ended(["pulumi", *arguments, "--non-interactive"], {}, shown=shown)
    if done.returncode:
        raise EngineError(f"pulumi {arguments[0]} failed:\n{done.stderr.strip() or (done.stdout or '').strip()}")
    return done.stdout or ""


def _ended(command: list[str], env: dict[str, str], *, shown: bool = False) -> subprocess.CompletedProcess[str]:
    out = None if shown else subprocess.PIPE
    try:
        return subprocess.run(
            command, stdout=out, stderr=subprocess.PIPE, text=True, check=False, env={**os.environ, **env}
        )
    except FileNotFoundError:
        raise EngineError('pulumi is not on PATH; for the local cloud: eval "$(python -m localcloud env)"') from None
