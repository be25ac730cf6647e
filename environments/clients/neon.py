"""Neon's API v2, as far as our own resources need what the provider doesn't offer (see docs/operating.md)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from environments.clients.deadline import pause
from environments.clients.http import JsonApi, NotFoundError
from environments.clients.lazy_imports import httpx
from environments.errors import FailedError
from environments.ids import BranchId, DatabaseName, EndpointId, Lsn, NeonProject, RoleName

DEFAULT_URL = "https://console.neon.tech/api/v2"
_POLL = 0.1
_OPERATION_DEADLINE = 120.0
_NEONS_DEFAULT_SUSPEND = 300


class OperationFailedError(FailedError):
    """Neon accepted a request and then failed to carry it out."""


@dataclass(frozen=True)
class Address:
    """Where a database is: ids of project, branch and endpoint, names of the database and of the role that owns it."""

    project: NeonProject
    branch: BranchId
    endpoint: EndpointId
    database: DatabaseName
    owner: RoleName


@dataclass(frozen=True)
class Project:
    """A Neon project, as far as this library reads it."""

    id: NeonProject
    name: str
    created_at: datetime
    postgres: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read the API's `project` object."""
        return cls(found["id"], found["name"], datetime.fromisoformat(found["created_at"]), int(found["pg_version"]))


@dataclass(frozen=True)
class Branch:
    """A branch; `expires_at` is in RFC 3339, empty where Neon keeps it, as `parent_id` is where it has no parent."""

    id: BranchId
    name: str
    created_at: datetime
    parent_id: BranchId
    parent_lsn: Lsn
    protected: bool
    expires_at: str
    init_source: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read the API's `branch` object."""
        return cls(
            found["id"],
            found["name"],
            datetime.fromisoformat(found["created_at"]),
            BranchId(found.get("parent_id") or ""),
            Lsn(found.get("parent_lsn") or ""),
            bool(found.get("protected")),
            found.get("expires_at") or "",
            found.get("init_source") or "",
        )


@dataclass(frozen=True)
class Endpoint:
    """A compute: sizes in CU, and the idle seconds after which it suspends (-1: never; Neon's own 300 where unset)."""

    id: EndpointId
    type: str
    disabled: bool
    min_cu: float
    max_cu: float
    suspend_seconds: int
    branch_id: BranchId
    created_at: datetime

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read the API's `endpoint` object."""
        return cls(
            found["id"],
            found["type"],
            bool(found.get("disabled")),
            float(found["autoscaling_limit_min_cu"]),
            float(found["autoscaling_limit_max_cu"]),
            int(found.get("suspend_timeout_seconds") or 0) or _NEONS_DEFAULT_SUSPEND,
            BranchId(found["branch_id"]),
            datetime.fromisoformat(found["created_at"]),
        )


@dataclass(frozen=True)
class Role:
    """A role of one branch; a `protected` one is Neon's own."""

    name: RoleName
    protected: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read the API's `role` object."""
        return cls(RoleName(found["name"]), bool(found.get("protected")))


@dataclass(frozen=True)
class Operation:
    """Something that Neon did or does in a project; `branch_id` is empty where it is about no branch."""

    id: str
    action: str
    branch_id: BranchId

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read one of the API's `operations`."""
        return cls(found["id"], found["action"], BranchId(found.get("branch_id") or ""))


class Neon(JsonApi):
    """A client for `NEON_API_HOST` (default: Neon's own) with the key in `NEON_API_KEY`."""

    def __init__(self) -> None:
        """Read address and key from the environment."""
        super().__init__("Neon", os.environ.get("NEON_API_HOST", DEFAULT_URL), os.environ["NEON_API_KEY"])

    def projects(self, name: str) -> list[Project]:
        """Return the projects called exactly `name`."""
        found = self.call("GET", "/projects", query={"search": name, "limit": "100"})["projects"]
        return [Project.of(project) for project in found if project["name"] == name]

    def project(self, project: NeonProject) -> Project:
        """Return one project; NotFoundError if it isn't there."""
        return Project.of(self.call("GET", f"/projects/{project}")["project"])

    def branch(self, project: NeonProject, branch: BranchId) -> Branch:
        """Return one branch; NotFoundError if it isn't there."""
        return Branch.of(self.call("GET", f"/projects/{project}/branches/{branch}")["branch"])

    def branches(self, project: NeonProject) -> list[Branch]:
        """Return every branch of a project, over all pages."""
        found: list[Branch] = []
        query = {"limit": "100"}
        while True:
            page = self.call("GET", f"/projects/{project}/branches", query=query)
            found += map(Branch.of, page["branches"])
            cursor = page.get("pagination", {}).get("next")
            if not cursor or not page["branches"]:
                return found
            query["cursor"] = cursor

    def operations(self, project: NeonProject) -> Iterator[Operation]:
        """Yield what Neon did in a project, the newest first, page by page."""
        query = {"limit": "100"}
        while True:
            page = self.call("GET", f"/projects/{project}/operations", query=query)
            yield from map(Operation.of, page["operations"])
            cursor = page.get("pagination", {}).get("cursor")
            if not cursor or not page["operations"]:
                return
            query["cursor"] = cursor

    def make_branch(
        self, project: NeonProject, branch: Mapping[str, Any], compute: Mapping[str, Any] | None = None
    ) -> tuple[Branch, EndpointId]:
        """Make a branch as the API's `branch` object says; return it, once it is there, and the id of its compute.

        Without `compute`, its size and suspension, there is none, and the id is empty.
        """
        endpoints = [{"type": "read_write", **compute}] if compute else []
        answer = self.call(
            "POST", f"/projects/{project}/branches", json={"branch": dict(branch), "endpoints": endpoints}
        )
        self._done(project, answer)
        return Branch.of(answer["branch"]), EndpointId(answer["endpoints"][0]["id"] if compute else "")

    def change_branch(self, project: NeonProject, branch: BranchId, changes: Mapping[str, Any]) -> Branch:
        """Change a branch's name or expiry and return it."""
        answer = self.call("PATCH", f"/projects/{project}/branches/{branch}", json={"branch": dict(changes)})
        self._done(project, answer)
        return Branch.of(answer["branch"])

    def keep_branch(self, project: NeonProject, branch: BranchId) -> None:
        """Let a branch live on that Neon was to delete at some time."""
        self.change_branch(project, branch, {"expires_at": None})

    def delete_branch(self, project: NeonProject, branch: BranchId) -> None:
        """Delete a branch with its rows and computes; one that is gone is no error, one that Neon keeps is."""
        with contextlib.suppress(NotFoundError):
            self._done(project, self.call("DELETE", f"/projects/{project}/branches/{branch}"))

    def endpoints(self, project: NeonProject, branch: BranchId) -> list[Endpoint]:
        """Return the computes of one branch."""
        found = self.call("GET", f"/projects/{project}/branches/{branch}/endpoints")["endpoints"]
        return [Endpoint.of(endpoint) for endpoint in found]

    def address_of(
        self, project: NeonProject, branch: BranchId, database: DatabaseName, owner: RoleName
    ) -> Address | None:
        """Return where a branch's database is reached; None while it has no compute that can write.

        A branch has at most one of those, and any number that only read.
        """
        writing = [compute.id for compute in self.endpoints(project, branch) if compute.type == "read_write"]
        return Address(project, branch, writing[0], database, owner) if writing else None

    def uri(self, address: Address, *, pooled: bool) -> str:
        """Return the URL of one database for its owner, with the password in it: a secret."""
        query = {
            "branch_id": address.branch,
            "endpoint_id": address.endpoint,
            "database_name": address.database,
            "role_name": address.owner,
            "pooled": str(pooled).lower(),
        }
        uri: str = self.call("GET", f"/projects/{address.project}/connection_uri", query=query)["uri"]
        if not httpx.URL(uri).password:
            raise OperationFailedError(f"Neon gave no password for {address.owner} on {address.branch}")
        return uri

    def roles(self, project: NeonProject, branch: BranchId) -> list[Role]:
        """Return the roles of a branch that users made, through the API or by SQL."""
        return [Role.of(found) for found in self.call("GET", f"/projects/{project}/branches/{branch}/roles")["roles"]]

    def reset_password(self, project: NeonProject, branch: BranchId, role: RoleName) -> None:
        """Give `role` a new password on this branch alone, and wait until it holds."""
        self._done(project, self.call("POST", f"/projects/{project}/branches/{branch}/roles/{role}/reset_password"))

    def _done(self, project: str, answer: dict[str, Any]) -> None:
        """Wait for the operations of an answer.

        Raises OperationFailedError for one that failed (the provider takes it for done), or is still running after
        120 s (the provider waits without end); OutOfTimeError where a time limit is used up before.
        """
        deadline = time.monotonic() + _OPERATION_DEADLINE
        for operation in answer.get("operations", []):
            status = operation["status"]
            while status in ("running", "scheduling"):
                if time.monotonic() > deadline:
                    raise OperationFailedError(f"Neon's {operation['action']} is still {status} after 120 s")
                pause(_POLL, f"Neon's {operation['action']} is still {status}")
                status = self.call("GET", f"/projects/{project}/operations/{operation['id']}")["operation"]["status"]
            if status in ("failed", "error", "cancelled"):
                raise OperationFailedError(f"Neon's {operation['action']} ended as {status}")
