"""Which computes run: they start when somebody connects, stop when nobody does, and none outlives the daemon.

A branch's lock is held while its compute starts or stops and while its stopped data directory is copied. A client that
wants a compute during such a copy doesn't wait for it: the copy is called off, and made from the running compute.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import psycopg

from localcloud.neon import catalog
from localcloud.neon.compute import Compute, ComputeError, end_leftover
from localcloud.neon.copying import remove_tree
from localcloud.neon.inventory import learn
from localcloud.neon.launcher import Launcher
from localcloud.neon.records import Branch, Endpoint, Role, now
from localcloud.neon.store import Store

log = logging.getLogger("localcloud.neon")

T = TypeVar("T")

_IDLE_CHECK_SECONDS = 1.0


class EndpointDisabledError(Exception):
    """The endpoint takes no connections until it is enabled."""


class Fleet:
    """The running computes by endpoint."""

    def __init__(self, launcher: Launcher, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._launcher = launcher
        self._store = store
        self._clock = clock
        self._closed = False
        self._running: dict[str, Compute] = {}
        self._clients: dict[str, int] = defaultdict(int)
        self._last_used: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._cold_copies: dict[str, Event] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle_check: asyncio.Task[None] | None = None

    async def recover(self) -> None:
        """End what a killed daemon left running, delete what belongs to no branch, start what never suspends."""
        folders = sorted(self._launcher.branches.iterdir())
        await asyncio.gather(*(end_leftover(folder / "data") for folder in folders))
        known = {branch.directory for branch in self._store.all(Branch)}
        for folder in folders:
            if folder.name not in known:
                self._launcher.throw_away(folder.name)
        self._empty_trash()
        for endpoint in self._store.all(Endpoint):
            if endpoint.started_at and not endpoint.suspended_at and math.isinf(endpoint.idle_seconds_allowed()):
                with suppress(EndpointDisabledError, ComputeError):
                    await self.wake(endpoint)
        self._idle_check = asyncio.create_task(self._check_idle_forever())

    async def stop(self) -> None:
        """Stop every compute; what they hold stays."""
        self._closed = True
        if self._idle_check is not None:
            self._idle_check.cancel()
        for lock in list(self._locks.values()):
            async with lock:
                pass
        endpoints = {endpoint.id: endpoint.branch_id for endpoint in self._store.all(Endpoint)}
        await asyncio.gather(*(self._end(running, endpoints.get(running)) for running in list(self._running)))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def data(self, branch: Branch) -> Path:
        """A branch's data directory."""
        return self._launcher.data(branch.directory)

    def base(self, name: str) -> Path:
        """The pristine data directory of this name."""
        return self._launcher.base(name)

    @asynccontextmanager
    async def private(self, data: Path, recovery: dict[str, str] | None = None) -> AsyncIterator[Compute]:
        """A compute over a branch in the making, out of every client's reach and stopped at the end."""
        compute = await self._launcher.launch_privately(data, recovery)
        try:
            yield compute
        finally:
            await compute.stop()

    def running(self, endpoint_id: str) -> Compute | None:
        """The endpoint's compute, if it is up."""
        compute = self._running.get(endpoint_id)
        return compute if compute is not None and compute.running else None

    def computes(self) -> list[Compute]:
        """All that are up."""
        return [compute for compute in self._running.values() if compute.running]

    def clients(self, endpoint_id: str) -> int:
        """How many sessions the endpoint serves."""
        return self._clients[endpoint_id]

    @asynccontextmanager
    async def session(self, endpoint: Endpoint) -> AsyncIterator[Compute]:
        """A running compute that isn't suspended for idleness meanwhile."""
        self._clients[endpoint.id] += 1
        try:
            yield await self.wake(endpoint)
        finally:
            self._clients[endpoint.id] -= 1
            self._last_used[endpoint.id] = self._clock()

    @asynccontextmanager
    async def session_if_running(self, endpoint: Endpoint) -> AsyncIterator[Compute | None]:
        """The endpoint's compute if it is up; looking at it wakes nothing and keeps nothing awake."""
        self._clients[endpoint.id] += 1
        try:
            yield self.running(endpoint.id)
        finally:
            self._clients[endpoint.id] -= 1

    @asynccontextmanager
    async def cold(self, branch_id: str) -> AsyncIterator[Event]:
        """Keep a branch's compute from starting; the event is set as soon as somebody wants it."""
        async with self._locks[branch_id]:
            wanted = self._cold_copies[branch_id] = Event()
            try:
                yield wanted
            finally:
                del self._cold_copies[branch_id]

    async def wake(self, endpoint: Endpoint) -> Compute:
        """The endpoint's compute, started if it isn't up; a caller that gives up doesn't stop the start."""
        if (compute := self.running(endpoint.id)) is not None:
            return compute
        if endpoint.disabled:
            raise EndpointDisabledError
        if (wanted := self._cold_copies.get(endpoint.branch_id)) is not None:
            wanted.set()
        return await asyncio.shield(self._keep(self._start_recorded(endpoint)))

    async def bring_up(self, endpoint: Endpoint) -> Compute:
        """Start the compute of an endpoint that isn't recorded yet, so that no client can reach it."""
        async with self._locks[endpoint.branch_id]:
            return await self._start(endpoint)

    async def suspend(self, endpoint: Endpoint, *, only_if_idle: bool = False) -> None:
        """Stop the endpoint's compute, and remember what SQL made on it."""
        async with self._locks[endpoint.branch_id]:
            if self.running(endpoint.id) is None or (only_if_idle and self._clients[endpoint.id]):
                return
            await self._end(endpoint.id, endpoint.branch_id)
            if (current := self._store.one(Endpoint, id=endpoint.id)) is not None:
                current.last_active = current.suspended_at = now()
                self._store.put(current)

    async def suspend_idle(self) -> None:
        """Suspend the computes that had no client for as long as their endpoint allows."""
        for endpoint in self._store.all(Endpoint):
            unused = self._clock() - self._last_used.get(endpoint.id, self._clock())
            if unused >= endpoint.idle_seconds_allowed() and self.running(endpoint.id):
                await self.suspend(endpoint, only_if_idle=True)

    def discard(self, folder: str) -> None:
        """Delete the folder of a branch whose computes are stopped; a crash in between is made good by recovery."""
        self._launcher.throw_away(folder)
        self._empty_trash()

    def _empty_trash(self) -> None:
        for folder in self._launcher.trash.iterdir():
            self._keep(asyncio.to_thread(remove_tree, folder))

    async def _check_idle_forever(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_CHECK_SECONDS)
            try:
                await self.suspend_idle()
            except Exception:
                log.exception("suspending idle computes failed")

    async def _start_recorded(self, endpoint: Endpoint) -> Compute:
        async with self._locks[endpoint.branch_id]:
            if (compute := self.running(endpoint.id)) is not None:
                return compute
            # Deleted, disabled or moved while we waited for the lock.
            current = self._store.one(Endpoint, id=endpoint.id, branch_id=endpoint.branch_id)
            if current is None or current.disabled:
                raise EndpointDisabledError
            compute = await self._start(current)
            current.started_at, current.suspended_at = now(), None
            self._store.put(current)
            return compute

    async def _start(self, endpoint: Endpoint) -> Compute:
        if self._closed:
            raise EndpointDisabledError
        began = time.monotonic()
        branch = self._store.one(Branch, id=endpoint.branch_id)
        # A branch that isn't recorded yet lies in a folder of its own name.
        data = self._launcher.data(branch.directory if branch else endpoint.branch_id)
        compute = await self._launcher.launch(endpoint, data)
        try:
            await self._set_pending_passwords(endpoint.branch_id, compute)
        except BaseException:
            await compute.stop()
            raise
        self._running[endpoint.id] = compute
        self._last_used[endpoint.id] = self._clock()
        self._keep(self._watch(endpoint.id, compute))
        log.info("%s is up after %.0f ms", endpoint.id, (time.monotonic() - began) * 1000)
        return compute

    async def _set_pending_passwords(self, branch_id: str, compute: Compute) -> None:
        """Before any client gets in, a protected parent's child gets passwords of its own; unknown ones become void."""
        branch = self._store.one(Branch, id=branch_id)
        if branch is None or not branch.passwords_pending:
            return
        known = {role.name: role.password for role in self._store.all(Role, branch_id=branch_id)}
        async with catalog.connect(compute.sockets) as connection:
            for name in (await catalog.read(connection)).roles:
                await catalog.set_password(connection, name, known.get(name))
        branch.passwords_pending = False
        self._store.put(branch)

    async def _end(self, endpoint_id: str, branch_id: str | None) -> None:
        # Off the list first: a client that comes now waits for the lock and gets a fresh compute.
        compute = self._running.pop(endpoint_id, None)
        if compute is None:
            return
        if branch_id is not None and compute.running:
            try:
                async with catalog.connect(compute.sockets) as connection:
                    learn(self._store, branch_id, await catalog.read(connection))
            except psycopg.Error as error:
                log.warning("%s: couldn't read its roles and databases: %s", endpoint_id, type(error).__name__)
        await compute.stop()

    async def _watch(self, endpoint_id: str, compute: Compute) -> None:
        await compute.wait_for_exit()
        if self._running.get(endpoint_id) is compute:
            del self._running[endpoint_id]
            log.warning("%s: its Postgres ended by itself", endpoint_id)

    def _keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
