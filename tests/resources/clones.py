"""A clone with a compute, and an address to it, for tests of what a resource does on a branch."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from environments.clients.neon import Address
from environments.ids import BranchId, DatabaseName, EndpointId, NeonProject, RoleName
from tests.localcloud.neon.hosting import API_KEY, Host, Project
from tests.resources.computes import OWNER, Database, Session

_NAMES = (f"clone-{number}" for number in itertools.count())


@dataclass(frozen=True)
class Clone:
    """A branch of the tests' project, with a compute."""

    project: Project
    address: Address

    @property
    def branch(self) -> BranchId:
        """Its id."""
        return self.address.branch

    def owner(self) -> Session:
        """A new session of the owner."""
        uri = self.project.uri(self.branch, database=self.address.database)
        return psycopg.connect(uri, autocommit=True, prepare_threshold=None)

    def restore(self, source: str) -> None:
        """Have Neon give it another branch's content, in place."""
        self.project.host.call(
            "POST", f"{self.project.path}/branches/{self.branch}/restore", {"source_branch_id": source}
        )

    def delete(self) -> None:
        """Remove it by hand."""
        self.project.host.call("DELETE", f"{self.project.path}/branches/{self.branch}")


def clone(database: Database, parent: str | None = None, **fields: Any) -> Clone:
    """Make a clone of the root branch, or of `parent`."""
    project = database.project
    made = project.branch(next(_NAMES), parent=parent, **fields)
    return Clone(
        project,
        Address(
            NeonProject(project.answer["project"]["id"]),
            BranchId(made["branch"]["id"]),
            EndpointId(made["endpoints"][0]["id"]),
            DatabaseName(database.name),
            OWNER,
        ),
    )


def connect_clients(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have our clients ask the tests' Neon."""
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)


def roles_of(database: Database) -> tuple[RoleName, RoleName]:
    """Return the two roles that take turns; both go with the database."""
    return RoleName(f"{database.role}_1"), RoleName(f"{database.role}_2")


def user_at(url: str) -> str:
    """Log in with a URL, and return as whom."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_user").fetchone()
    return str(row[0]) if row else ""
