"""Which processes the local Vercel started: what a killed daemon leaves running, its next start ends.

A pid alone proves nothing, so an entry says when the process began; only that very process is ever signalled.
"""

import asyncio
import json
import os
import signal
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from localcloud.private_files import private_folder, write_private
from localcloud.processes import Identity

_PATIENCE = 0.02


class Ledger:
    """One small file per running process, each the leader of a process group."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)

    def enter(self, pid: int) -> None:
        """Note a process that was just started."""
        if identity := Identity.of(pid):
            write_private(self._folder / str(pid), json.dumps(asdict(identity)))

    def strike(self, pid: int) -> None:
        """Forget a process that ended."""
        (self._folder / str(pid)).unlink(missing_ok=True)

    async def reap(self) -> int:
        """End, with its group, every process that is still noted. Returns how many there were."""
        ended = 0
        for entry in self._folder.iterdir():
            with suppress(ValueError, TypeError):
                identity = Identity(**json.loads(entry.read_text()))
                if identity.alive():
                    end_group(identity.pid, signal.SIGKILL)
                    ended += 1
                while identity.alive():  # noqa: ASYNC110 - no event tells of a process that is not our child
                    await asyncio.sleep(_PATIENCE)
            entry.unlink(missing_ok=True)
        return ended


def kill_rest(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of a child's group, as long as the group surely is its own.

    That is so until the child is reaped, and after that while somebody of the group holds its output open.
    """
    if process.returncode is None or (process.stdout is not None and not process.stdout.at_eof()):
        end_group(process.pid, signal.SIGKILL)


def end_group(leader: int, number: signal.Signals) -> None:
    """Signal a process and all that it started; one that is gone already is no error."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
