"""One running Postgres: its start, its readiness, its end, and what a killed daemon may have left of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from localcloud.neon.configuration import PORT
from localcloud.neon.installation import Installation

_POLL_SECONDS = 0.002
_START_SECONDS = 300.0
_STOP_SECONDS = 30.0
_LARGEST_LOG = 1 << 20
_STATUS_LINE = 7


class ComputeError(Exception):
    """Postgres didn't start."""


class Compute:
    """A postmaster over one data directory, reachable through a Unix socket."""

    def __init__(self, installation: Installation, data: Path, sockets: Path, log: Path) -> None:
        self.data = data
        self.sockets = sockets
        self._log = log
        self._installation = installation
        self._process: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._pidfd = -1

    @property
    def socket(self) -> Path:
        """The file that clients connect to."""
        return self.sockets / f".s.PGSQL.{PORT}"

    @property
    def running(self) -> bool:
        """Whether the postmaster lives."""
        return self._process is not None and not self._exited.is_set()

    async def start(self) -> None:
        """Return when clients can connect."""
        self._make_socket_folder()
        replays_to_the_end = (self.data / "standby.signal").exists() and not (self.data / "backup_label").exists()
        self._launch()
        deadline = time.monotonic() + _START_SECONDS
        next_nudge = 0.0
        while (status := self._status()) != "ready":
            if not self.running:
                raise ComputeError(f"Postgres ended with {self._returncode()}; its last words: {self._last_words()}")
            if time.monotonic() > deadline:
                await self.stop()
                raise ComputeError(f"Postgres wasn't ready after {_START_SECONDS:g} s")
            if replays_to_the_end and status and time.monotonic() >= next_nudge:
                self._promote()
                next_nudge = time.monotonic() + 0.02
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """End it cleanly, sessions included; by force if it hesitates."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not self.running:
                break
            self._signal(number)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), _STOP_SECONDS)
        _remove_socket_folder(self.sockets)

    async def wait_for_exit(self) -> None:
        """Return when the postmaster is gone."""
        await self._exited.wait()

    def _launch(self) -> None:
        if self._log.exists() and self._log.stat().st_size > _LARGEST_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(
                self._installation.command("postgres", "-D", str(self.data), ends_with_us=True),
                cwd=self.data,
                env={"PATH": os.environ.get("PATH", ""), "LANG": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        self._exited = asyncio.Event()
        self._pidfd = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        assert self._process is not None
        self._process.wait()
        self._exited.set()

    def _returncode(self) -> int | None:
        return self._process.returncode if self._process else None

    def _signal(self, number: signal.Signals) -> None:
        if self.running and self._process is not None:
            self._process.send_signal(number)

    def _status(self) -> str:
        """What the postmaster says of itself; nothing while the file is a predecessor's."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return ""
        if self._process is None or len(lines) <= _STATUS_LINE or lines[0] != str(self._process.pid):
            return ""
        return lines[_STATUS_LINE].strip()

    def _promote(self) -> None:
        """End a recovery that has no target: a cleanly stopped parent left nothing to replay."""
        order = self.data / "promote"
        order.touch(mode=0o600)
        self._installation.give(order)
        self._signal(signal.SIGUSR1)

    def _make_socket_folder(self) -> None:
        _remove_socket_folder(self.sockets)
        self.sockets.mkdir(mode=0o700)
        self._installation.give(self.sockets)

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return "none"
        return "; ".join(lines[-3:]) or "none"


async def end_leftover(data: Path) -> None:
    """Stop the postmaster that a killed daemon left over this data directory, if there is one."""
    pid = _postmaster(data)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                # Looked at again while the descriptor pins the process: the pid can't be anybody else's now.
                if _postmaster(data) != pid:
                    return
                signal.pidfd_send_signal(descriptor, number)
                deadline = time.monotonic() + _STOP_SECONDS
                while _works_in(pid, data) and time.monotonic() < deadline:  # noqa: ASYNC110 - it isn't our child
                    await asyncio.sleep(_POLL_SECONDS)
        finally:
            os.close(descriptor)


def _postmaster(data: Path) -> int | None:
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if _works_in(pid, data) else None


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process is a Postgres whose working directory is this data directory, as a postmaster's always is."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return (
            state not in "ZX"
            and Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
            and Path(f"/proc/{pid}/cwd").samefile(data)
        )
    except OSError:
        return False


def _remove_socket_folder(folder: Path) -> None:
    with suppress(FileNotFoundError):
        for entry in folder.iterdir():
            entry.unlink(missing_ok=True)
        folder.rmdir()
