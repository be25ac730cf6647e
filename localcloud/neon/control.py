"""What every route of the API works with: the records, the running computes and the rules that hold between them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from localcloud.neon import catalog
from localcloud.neon.catalog import Connection
from localcloud.neon.compute import Compute
from localcloud.neon.errors import ApiError, LockedError, NotFoundError, PreconditionFailedError, UnprocessableError
from localcloud.neon.fleet import EndpointDisabledError, Fleet
from localcloud.neon.installation import Installation
from localcloud.neon.inventory import learn
from localcloud.neon.launcher import Launcher
from localcloud.neon.records import Branch, Database, Endpoint, Operation, Project, Role, now
from localcloud.neon.store import Store

READ_WRITE = "read_write"
_LONGEST_NAME = 256
_LONGEST_SQL_NAME = 63


@dataclass
class ControlPlane:
    """The local Neon account."""

    store: Store
    fleet: Fleet
    launcher: Launcher
    proxy_port: int

    # Seconds that a request waits for another one on the same project before it is answered with 423.
    patience: float = 5.0
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def project(self, project_id: str) -> Project:
        """The project, or 404."""
        project = self.store.one(Project, id=project_id)
        if project is None:
            raise NotFoundError(f"project {project_id} not found")
        return project

    def installation(self, project_id: str) -> Installation:
        """The Postgres of the project's version."""
        return self.launcher.installations.installed(self.project(project_id).pg_version)

    def branch(self, project_id: str, branch_id: str) -> Branch:
        """The project's branch, or 404."""
        self.project(project_id)
        branch = self.store.one(Branch, id=branch_id, project_id=project_id)
        if branch is None:
            raise NotFoundError(f"branch {branch_id} not found")
        return branch

    def endpoint(self, project_id: str, endpoint_id: str) -> Endpoint:
        """The project's endpoint, or 404."""
        self.project(project_id)
        endpoint = self.store.one(Endpoint, id=endpoint_id, project_id=project_id)
        if endpoint is None:
            raise NotFoundError(f"endpoint {endpoint_id} not found")
        return endpoint

    def default_branch(self, project_id: str) -> Branch:
        """The branch that requests mean when they name none."""
        branch = self.store.one(Branch, project_id=project_id, is_default=True)
        if branch is None:
            raise NotFoundError(f"project {project_id} has no default branch")
        return branch

    def read_write_endpoint(self, branch_id: str) -> Endpoint | None:
        """The one endpoint that can write to the branch."""
        return self.store.one(Endpoint, branch_id=branch_id, type=READ_WRITE)

    def enabled_endpoint(self, branch_id: str) -> Endpoint | None:
        """The endpoint that can write to the branch, unless it is disabled."""
        endpoint = self.read_write_endpoint(branch_id)
        return None if endpoint is None or endpoint.disabled else endpoint

    def line(self, branch: Branch) -> list[Branch]:
        """The branch after its ancestors, the root first."""
        line = [branch]
        while line[0].parent_id is not None:
            line.insert(0, self.branch(branch.project_id, line[0].parent_id))
        return line

    def is_active(self, endpoint: Endpoint) -> bool:
        """Whether its compute runs."""
        return self.fleet.running(endpoint.id) is not None

    @asynccontextmanager
    async def exclusive(self, project_id: str) -> AsyncIterator[None]:
        """One change at a time per project; the next waits a little and is then refused with 423."""
        self.project(project_id)
        lock = self._locks[project_id]
        try:
            async with asyncio.timeout(self.patience):
                await lock.acquire()
        except TimeoutError:
            raise LockedError from None
        try:
            yield
        finally:
            lock.release()

    @asynccontextmanager
    async def compute(self, branch: Branch) -> AsyncIterator[tuple[Compute, Connection]]:
        """The branch's compute, awake, with a session of the superuser; 412 if the branch can't have one."""
        endpoint = self.read_write_endpoint(branch.id)
        if endpoint is None:
            raise PreconditionFailedError(f"branch {branch.id} has no read_write endpoint: create one first")
        try:
            async with self.fleet.session(endpoint) as compute, catalog.connect(compute.sockets) as connection:
                yield compute, connection
        except EndpointDisabledError:
            raise PreconditionFailedError(f"endpoint {endpoint.id} is disabled: enable it first") from None

    async def refresh_inventory(self, branch: Branch) -> None:
        """Bring roles and databases up to date if the compute runs; a suspended one was read when it stopped."""
        endpoint = self.read_write_endpoint(branch.id)
        if endpoint is None:
            return
        async with self.fleet.session_if_running(endpoint) as compute:
            if compute is not None:
                async with catalog.connect(compute.sockets) as connection:
                    learn(self.store, branch.id, await catalog.read(connection))

    def note(
        self, project_id: str, *actions: str, branch_id: str, endpoint_id: str | None, began: float
    ) -> list[Operation]:
        """Record the finished operations of one request, which began at this `time.monotonic()`."""
        duration = int((time.monotonic() - began) * 1000)
        operations = [
            Operation(
                project_id=project_id,
                action=action,
                branch_id=branch_id,
                endpoint_id=endpoint_id,
                total_duration_ms=duration,
            )
            for action in actions
        ]
        self.store.put(*operations)
        return operations

    def forget_branch(self, branch: Branch) -> None:
        """Remove the branch's records and those of all that lies on it."""
        with self.store.transaction():
            self.store.remove(*self.store.all(Endpoint, branch_id=branch.id))
            self.store.remove(*self.store.all(Role, branch_id=branch.id))
            self.store.remove(*self.store.all(Database, branch_id=branch.id))
            self.store.remove(branch)

    async def remove_branch(self, branch: Branch) -> None:
        """Remove its records, then its computes, then its files; the next start deletes what a crash leaves of them."""
        endpoints = self.store.all(Endpoint, branch_id=branch.id)
        self.forget_branch(branch)
        for endpoint in endpoints:
            await self.fleet.suspend(endpoint)
        self.fleet.discard(branch.directory)

    def touch(self, record: Project | Branch | Endpoint) -> None:
        """Store a changed record."""
        record.updated_at = now()
        self.store.put(record)


def require_name(kind: str, name: str) -> None:
    """Refuse a name of a project or branch that Neon would."""
    if not 1 <= len(name) <= _LONGEST_NAME or name != name.strip():
        raise ApiError(f"{kind} name {name!r} must have 1 to {_LONGEST_NAME} characters and no space at its ends")


def require_sql_name(kind: str, name: str, reserved: frozenset[str]) -> None:
    """Refuse a name of a role or database that Postgres or the service keeps for itself."""
    if not 1 <= len(name.encode()) <= _LONGEST_SQL_NAME or "\0" in name:
        raise ApiError(f"{kind} name {name!r} must have 1 to {_LONGEST_SQL_NAME} bytes")
    if name in reserved or name.startswith("pg_"):
        raise UnprocessableError(f"{kind} name {name!r} is reserved: choose another")
