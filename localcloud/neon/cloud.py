"""Neon's half of the local cloud as one object: start it, point clients at its two ports, stop it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from localcloud.neon.api.application import application
from localcloud.neon.control import ControlPlane
from localcloud.neon.expiry import sweep_forever
from localcloud.neon.fleet import Fleet
from localcloud.neon.installations import Installations
from localcloud.neon.launcher import Launcher
from localcloud.neon.proxy import Proxy
from localcloud.neon.store import Store

_LOOPBACK = "127.0.0.1"


class AlreadyRunningError(Exception):
    """Another process serves this state folder."""


class NeonCloud:
    """A Neon API and a Postgres proxy over one state folder.

    Run it on the event loop of a thread that lasts as long as the process: the kernel stops the computes when the
    thread that started them ends.
    """

    def __init__(
        self,
        state: Path,
        *,
        api_key: str,
        api_port: int,
        proxy_port: int,
        pg_bin: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api_port = api_port
        self.proxy_port = proxy_port
        self._state = state.absolute()
        self._api_key = api_key
        self._pg_bin = pg_bin
        self._clock = clock
        self._stops: list[Callable[[], object]] = []
        self.control: ControlPlane | None = None

    async def start(self) -> None:
        """Return when both ports answer; a failure leaves nothing running."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop serving, then every compute; state stays."""
        while self._stops:
            outcome = self._stops.pop()()
            if asyncio.iscoroutine(outcome):
                await outcome
        self.control = None

    async def _start(self) -> None:
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state.chmod(0o700)
        self._take_state()
        launcher = Launcher(self._state, Installations.find(self._pg_bin))
        self._stops.append(launcher.clear)
        await launcher.prepare()
        store = Store(self._state / "control.sqlite")
        self._stops.append(store.close)
        fleet = Fleet(launcher, store, self._clock)
        self._stops.append(fleet.stop)
        await fleet.recover()
        proxy = Proxy(fleet, store)
        self._stops.append(proxy.stop)
        self.proxy_port = await proxy.start(self.proxy_port)
        self.control = ControlPlane(store, fleet, launcher, self.proxy_port)
        sweeping = asyncio.create_task(sweep_forever(self.control))
        self._stops.append(lambda: _end(sweeping))
        await self._serve_api(self.control)

    async def _serve_api(self, control: ControlPlane) -> None:
        runner = web.AppRunner(
            application(control, self._api_key), access_log=None, handle_signals=False, shutdown_timeout=1.0
        )
        await runner.setup()
        self._stops.append(runner.cleanup)
        site = web.TCPSite(runner, _LOOPBACK, self.api_port)
        await site.start()
        self.api_port = runner.addresses[0][1]

    def _take_state(self) -> None:
        lock = os.open(self._state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise AlreadyRunningError(f"another process serves {self._state}: stop it first") from None
        self._stops.append(lambda: os.close(lock))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
