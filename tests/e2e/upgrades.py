"""What tests of an upgrade share: production on an older Postgres, and a project of the newer one beside it."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from localcloud.cloud import Cloud
from localcloud.neon.installations import Installations
from tests.e2e.conftest import World, make_world

CREATED = 201


class Upgraded(World):
    """A world whose environment is on an older Postgres, and a project of the newer version beside it."""

    def neon(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Ask the local Neon."""
        headers = {"Authorization": f"Bearer {self.cloud.neon_api_key}"}
        answer = httpx.request(method, f"{self.cloud.neon_api_host}{path}", headers=headers, json=body, params=query)
        return answer.raise_for_status().json()

    def copy_into(self, project: str, name: str, source: str) -> None:
        """Edit: add a branch in another project and serve it."""
        branch = {"from": {"branch": source}, "project": project, "copy": "dump"}
        self.edit("prod", branches=self.setting("prod", "branches") | {name: branch}, serve=name)

    def ask(self, project: str, branch: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of a branch's database, in any project."""
        branches = self.neon("GET", f"/projects/{project}/branches")["branches"]
        query = {"branch_id": next(found["id"] for found in branches if found["name"] == branch)}
        query |= {"database_name": "neondb", "role_name": "neondb_owner"}
        uri = self.neon("GET", f"/projects/{project}/connection_uri", **query)["uri"]
        with psycopg.connect(uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def old(emptied: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    """Production on the older Postgres, with rows of visitors."""
    oldest = next(iter(Installations.find().by_major))
    assert oldest < Installations.find().default.major, "an older Postgres is needed: apt-get install postgresql"
    made = make_world(emptied, tmp_path_factory.mktemp("upgrade"), "upgrade")
    world = Upgraded(made.folder, made.cloud, made.backend)
    world.edit("dev", project={"name": "upgrade", "postgres": oldest})
    world.edit("prod", safety={"write_pause": 120})  # rows are carried over in that time, on a machine that is busy
    world.bring_up_dev()
    world.bring_up_prod()
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    return world


@pytest.fixture(scope="module")
def newer(old: Upgraded) -> str:
    """The id of a project of the newer version."""
    return str(old.neon("POST", "/projects", {"project": {"name": "upgrade-newer"}})["project"]["id"])
