"""Which processes belong to a local cloud, proven before any signal is sent.

A pid alone proves nothing, since the kernel gives it to another process later: an identity is the pid, the start time
in ticks since boot, and the boot.
"""

import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

_STAT_AFTER_COMMAND_START_TIME = 19
_STAT_AFTER_COMMAND_STATE = 0
_PATIENCE = 0.02


@dataclass(frozen=True)
class Identity:
    """One process and no later bearer of its pid."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The identity of a living process; None when it is gone or a zombie."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        # The command stands in parentheses and may hold spaces and parentheses itself.
        rest = stat.rpartition(")")[2].split()
        if rest[_STAT_AFTER_COMMAND_STATE] in "ZX":
            return None
        return cls(pid=pid, started=int(rest[_STAT_AFTER_COMMAND_START_TIME]), boot=_boot())

    def alive(self) -> bool:
        """Whether this very process runs."""
        return Identity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send the signal unless the process is gone."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def descendants(root: Identity) -> list[Identity]:
    """The living children of a process, and theirs."""
    if not root.alive():
        return []
    try:
        children = psutil.Process(root.pid).children(recursive=True)
    except psutil.Error:
        return []
    return _identities(child.pid for child in children)


def left_over(folders: Sequence[Path]) -> list[Identity]:
    """Servers that outlived their daemon: at work in one of its folders without a terminal; and their children.

    A shell or an editor that a user left in such a folder has a terminal, and is not touched.
    """
    found: dict[int, Identity] = {}
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        identity = Identity.of(process.pid)
        if identity is None or process.pid in spared:
            continue
        try:
            if process.terminal() is None and _works_in(process, folders):
                family = [process.pid, *(child.pid for child in process.children(recursive=True))]
                found |= {member.pid: member for member in _identities(family)}
        except psutil.Error:
            continue
    return list(found.values())


def terminate(processes: Iterable[Identity], *, deadline: float) -> list[Identity]:
    """SIGTERM, then SIGKILL after `deadline` seconds to those that stay. Returns the ones that had to be killed."""
    remaining = [process for process in processes if process.alive()]
    for process in remaining:
        process.send(signal.SIGTERM)
    remaining = _wait(remaining, deadline)
    for process in remaining:
        process.send(signal.SIGKILL)
    _wait(remaining, deadline)
    return remaining


def _wait(processes: list[Identity], seconds: float) -> list[Identity]:
    until = time.monotonic() + seconds
    while (processes := [process for process in processes if process.alive()]) and time.monotonic() < until:
        time.sleep(_PATIENCE)
    return processes


def _works_in(process: psutil.Process, folders: Sequence[Path]) -> bool:
    places = list(process.cmdline())
    # Another user's working directory may be hidden, its command line never is.
    with suppress(psutil.AccessDenied):
        places.append(process.cwd())
    return any(Path(place).is_relative_to(folder) for place in places for folder in folders)


def _identities(pids: Iterable[int]) -> list[Identity]:
    return [identity for pid in pids if (identity := Identity.of(pid))]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
