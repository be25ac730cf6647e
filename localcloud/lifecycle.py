"""Start, stop and reset: one daemon per state folder, whatever was killed before and whoever else starts it now."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.cloud import ROOT, Cloud, CloudFileError, cloud_file
from localcloud.daemon import Phase, Record, record_file
from localcloud.ports import taken_ports
from localcloud.private_files import FILE_MODE, locked, private_folder
from localcloud.processes import Identity, descendants, left_over, terminate

START_DEADLINE = 90.0
STOP_DEADLINE = 20.0
PORT_DEADLINE = 2.0
_PATIENCE = 0.02
_LOG_TAIL = 8

DAEMON_COMMAND = (sys.executable, "-m", "localcloud", "serve")


class LifecycleError(Exception):
    """The local cloud did not start."""


@dataclass(frozen=True)
class Started:
    """What `start` found or made."""

    cloud: Cloud
    already_running: bool


@dataclass(frozen=True)
class Stopped:
    """What `stop` ended."""

    was_running: bool
    killed: int
    left_over: int


def start(state: Path, *, command: Sequence[str] = DAEMON_COMMAND, deadline: float = START_DEADLINE) -> Started:
    """Return when everything answers. Of several concurrent starts one spawns the daemon, the others find it."""
    private_folder(state)
    with locked(_lock(state)):
        record = Record.of_living(state)
        if record and record.phase is Phase.READY:
            return Started(Cloud.load(state), already_running=True)
        if record and record.phase is Phase.STOPPING:
            _stop(state, STOP_DEADLINE)
            record = None
        cloud = Cloud.load_or_create(state)
        daemon = record.process if record else _spawn(cloud, command)
        _until_ready(cloud, daemon, deadline)
        return Started(cloud, already_running=False)


def stop(state: Path, *, deadline: float = STOP_DEADLINE) -> Stopped:
    """Leave no process: the daemon first, then whatever outlived it, or an earlier one that was killed."""
    if not state.exists():
        return Stopped(was_running=False, killed=0, left_over=0)
    with locked(_lock(state)):
        return _stop(state, deadline)


def reset(state: Path, *, deadline: float = STOP_DEADLINE) -> list[Path]:
    """Stop, and remove what the clouds and the stacks hold. Returns what was removed.

    Ports and tokens stay, so that a shell which was set up stays valid; unless another process took one of the ports,
    or the file is not ours: then the next start chooses again.
    """
    if not state.exists():
        return []
    with locked(_lock(state)):
        _stop(state, deadline)
        doomed = [
            state / "neon",
            state / "vercel",
            state / "pulumi" / "backend",
            state / "daemon.log",
            record_file(state),
        ]
        try:
            if taken_ports(Cloud.load(state).ports):
                doomed.append(cloud_file(state))
        except CloudFileError:
            doomed.append(cloud_file(state))
        removed = [path for path in doomed if path.exists()]
        for path in removed:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return removed


def _lock(state: Path) -> Path:
    return state / "lifecycle.lock"


def _spawn(cloud: Cloud, command: Sequence[str]) -> Identity:
    until = time.monotonic() + PORT_DEADLINE
    # A daemon that was killed just now may hold its ports for some milliseconds more.
    while (taken := taken_ports(cloud.ports)) and time.monotonic() < until:
        time.sleep(_PATIENCE)
    if taken:
        raise LifecycleError(
            f"port {', '.join(map(str, taken))} is taken by another process, and this local cloud keeps its ports: "
            f"stop that process (`ss -ltnp` names it; `localcloud stop` ends what an earlier daemon left), "
            f"or `localcloud reset` to choose new ports"
        )
    with cloud.log.open("ab") as log:
        cloud.log.chmod(FILE_MODE)
        child = subprocess.Popen(
            [*command],
            cwd=ROOT,
            env=os.environ | {"LOCALCLOUD_STATE": str(cloud.state), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Whoever called may live long: the daemon must not become its zombie.
    threading.Thread(target=child.wait, daemon=True).start()
    identity = Identity.of(child.pid)
    if identity is None:
        raise LifecycleError(_failure(cloud))
    return identity


def _until_ready(cloud: Cloud, daemon: Identity, deadline: float) -> None:
    until = time.monotonic() + deadline
    while time.monotonic() < until:
        record = Record.of_living(cloud.state)
        if record and record.process == daemon and record.phase is Phase.READY:
            return
        if not daemon.alive():
            raise LifecycleError(_failure(cloud))
        time.sleep(_PATIENCE)
    terminate([daemon], deadline=STOP_DEADLINE)
    raise LifecycleError(f"the local cloud did not answer within {deadline:.0f} s, see {cloud.log}")


def _failure(cloud: Cloud) -> str:
    tail = cloud.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
    return "\n".join([f"the local cloud did not start; the end of {cloud.log}:", *(f"  {line}" for line in tail)])


def _stop(state: Path, deadline: float) -> Stopped:
    record = Record.of_living(state)
    family: list[Identity] = []
    killed: list[Identity] = []
    if record:
        family = descendants(record.process)
        killed = terminate([record.process], deadline=deadline)
    # Those that a clean stop has ended are gone; after a kill the computes and the node processes may live on.
    orphans = [process for process in family if process.alive()]
    orphans += [process for process in left_over([state / "neon", state / "vercel"]) if process not in orphans]
    killed += terminate(orphans, deadline=deadline)
    record_file(state).unlink(missing_ok=True)
    return Stopped(was_running=record is not None, killed=len(killed), left_over=len(orphans))
