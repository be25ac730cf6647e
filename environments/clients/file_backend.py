"""A `file://` backend of Pulumi's, as recovery needs it: notes that a killed engine left half-written, and locks."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from environments.errors import StateError

_CLOCK_TICK = 2.0
"""Seconds: Linux gives the time of boot, from which a process' start is counted, in whole ones."""


@dataclass(frozen=True)
class Lock:
    """The note that an engine keeps beside a stack while it updates it; `host` is empty where the note names none."""

    pid: int
    host: str
    written_at: datetime

    @classmethod
    def read(cls, file: Path) -> Lock:
        """Read the engine's file. Raises StateError if it isn't one."""
        try:
            found = json.loads(file.read_text())
            return cls(int(found["pid"]), found.get("hostname") or "", datetime.fromisoformat(found["timestamp"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{file} is not a lock of Pulumi's: {error}") from None

    @property
    def holder(self) -> str:
        """Who wrote it, in words."""
        return f"process {self.pid} on {self.host or 'this machine'}, since {self.written_at.isoformat()}"

    def may_be_held(self) -> bool:
        """Tell whether the engine that wrote it may still run: on another machine, or under its id on this one.

        A process that began after the lock was written only has the id of one that is gone.
        """
        if self.host not in ("", os.uname().nodename):
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        began = _began(self.pid)
        return began is None or began <= self.written_at.timestamp() + _CLOCK_TICK


@dataclass(frozen=True)
class FileBackend:
    """The folder of such a backend, `.pulumi`."""

    folder: Path

    def repair(self) -> bool:
        """Delete the notes that a killed engine left half-written; return whether there were any.

        The engine replaces each file by a rename, so a kill never leaves half a state. But it keeps the file's content
        type in `.attrs` beside it, and writes that in place (gocloud.dev's fileblob, `setAttrs`): while such a note is
        empty, every command ends with "failed to load checkpoint: EOF". A missing one does no harm.
        """
        broken = [note for note in self.folder.rglob("*.attrs") if not _is_json(note)]
        for note in broken:
            note.unlink(missing_ok=True)
        return bool(broken)

    def locks(self, stack: str) -> list[Lock]:
        """Return the locks of a stack, given with its project's name: `project/stack`."""
        wanted = Path(stack).parts
        files = [
            file
            for file in (self.folder / "locks").rglob("*.json")
            if file.parent.parts[-len(wanted) :] == wanted  # locks/<organization>/<project>/<stack>/<id>.json
        ]
        return [Lock.read(file) for file in files]


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _began(pid: int) -> float | None:
    """Return when a process began, in seconds since 1970; None where the system doesn't tell (it isn't Linux)."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except FileNotFoundError:
        return None
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
