"""Neon's API v2, as far as our own resources need what the provider doesn't offer (see docs/operating.md)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from environments.clients.http import JsonApi, NotFoundError
from environments.clients.lazy_imports import httpx

DEFAULT_URL = "https://console.neon.tech/api/v2"
_POLL = 0.1
_OPERATION_DEADLINE = 120.0


class OperationFailedError(Exception):
    """Neon accepted a request and then failed to carry it out."""


@dataclass(frozen=True)
class Address:
    """Where a database is: ids of project, branch and endpoint, names of the database and of the role that owns it."""

    project: str
    branch: str
    endpoint: str
    database: str
    owner: str


class Neon(JsonApi):
    """A client for `NEON_API_HOST` (default: Neon's own) with the key in `NEON_API_KEY`."""

    def __init__(self) -> None:
        """Read address and key from the environment."""
        super().__init__("Neon", os.environ.get("NEON_API_HOST", DEFAULT_URL), os.environ["NEON_API_KEY"])

    def projects(self, name: str) -> list[dict[str, Any]]:
        """Return the projects called exactly `name`."""
        found = self.call("GET", "/projects", query={"search": name, "limit": "100"})["projects"]
        return [project for project in found if project["name"] == name]

    def project(self, project: str) -> dict[str, Any]:
        """Return one project; NotFoundError if it isn't there."""
        found: dict[str, Any] = self.call("GET", f"/projects/{project}")["project"]
        return found

    def branch(self, project: str, branch: str) -> dict[str, Any]:
        """Return one branch; NotFoundError if it isn't there."""
        found: dict[str, Any] = self.call("GET", f"/projects/{project}/branches/{branch}")["branch"]
        return found

    def branches(self, project: str) -> list[dict[str, Any]]:
        """Return every branch of a project, over all pages."""
        found: list[dict[str, Any]] = []
        query = {"limit": "100"}
        while True:
            page = self.call("GET", f"/projects/{project}/branches", query=query)
            found += page["branches"]
            cursor = page.get("pagination", {}).get("next")
            if not cursor or not page["branches"]:
                return found
            query["cursor"] = cursor

    def operations(self, project: str) -> Iterator[dict[str, Any]]:
        """Yield what Neon did in a project, the newest first, page by page."""
        query = {"limit": "100"}
        while True:
            page = self.call("GET", f"/projects/{project}/operations", query=query)
            yield from page["operations"]
            cursor = page.get("pagination", {}).get("cursor")
            if not cursor or not page["operations"]:
                return
            query["cursor"] = cursor

    def make_branch(
        self, project: str, branch: dict[str, Any], compute: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], str]:
        """Make a branch as the API's `branch` object says; return it, once it is there, and the id of its compute.

        Without `compute`, its size and suspension, there is none, and the id is empty.
        """
        endpoints = [{"type": "read_write"} | compute] if compute else []
        answer = self.call("POST", f"/projects/{project}/branches", json={"branch": branch, "endpoints": endpoints})
        self._done(project, answer)
        return answer["branch"], answer["endpoints"][0]["id"] if compute else ""

    def change_branch(self, project: str, branch: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change a branch's name or expiry and return it."""
        answer = self.call("PATCH", f"/projects/{project}/branches/{branch}", json={"branch": changes})
        self._done(project, answer)
        changed: dict[str, Any] = answer["branch"]
        return changed

    def keep_branch(self, project: str, branch: str) -> None:
        """Let a branch live on that Neon was to delete at some time."""
        self._done(
            project,
            self.call("PATCH", f"/projects/{project}/branches/{branch}", json={"branch": {"expires_at": None}}),
        )

    def delete_branch(self, project: str, branch: str) -> None:
        """Delete a branch with its rows and computes; one that is gone is no error, one that Neon keeps is."""
        with contextlib.suppress(NotFoundError):
            self._done(project, self.call("DELETE", f"/projects/{project}/branches/{branch}"))

    def endpoints(self, project: str, branch: str) -> list[dict[str, Any]]:
        """Return the computes of one branch."""
        found: list[dict[str, Any]] = self.call("GET", f"/projects/{project}/branches/{branch}/endpoints")["endpoints"]
        return found

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

    def reset_password(self, project: str, branch: str, role: str) -> None:
        """Give `role` a new password on this branch alone, and wait until it holds."""
        self._done(project, self.call("POST", f"/projects/{project}/branches/{branch}/roles/{role}/reset_password"))

    def _done(self, project: str, answer: dict[str, Any]) -> None:
        """Wait for the operations of an answer.

        Raises OperationFailedError for one that failed (the provider takes it for done), or is still running after
        120 s (the provider waits without end).
        """
        deadline = time.monotonic() + _OPERATION_DEADLINE
        for operation in answer.get("operations", []):
            status = operation["status"]
            while status in ("running", "scheduling"):
                if time.monotonic() > deadline:
                    raise OperationFailedError(f"Neon's {operation['action']} is still {status} after 120 s")
                time.sleep(_POLL)
                status = self.call("GET", f"/projects/{project}/operations/{operation['id']}")["operation"]["status"]
            if status in ("failed", "error", "cancelled"):
                raise OperationFailedError(f"Neon's {operation['action']} ended as {status}")
