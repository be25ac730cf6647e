"""A newer Postgres, end to end: production moves to a branch in another Neon project, and back, and no row is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from localcloud.cloud import Cloud
from localcloud.neon.installations import Installations
from localcloud.program import CommandError
from tests.e2e.conftest import World, make_world

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

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
        query = {"branch_id": self.outputs("prod")["branches"][branch]}
        query |= {"database_name": "neondb", "role_name": "neondb_owner"}
        uri = self.neon("GET", f"/projects/{project}/connection_uri", **query)["uri"]
        with psycopg.connect(uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def old(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    """Production on the older Postgres, with rows of visitors."""
    oldest = next(iter(Installations.find().by_major))
    assert oldest < Installations.find().default.major, "an older Postgres is needed: apt-get install postgresql"
    made = make_world(cloud, tmp_path_factory.mktemp("upgrade"), "upgrade")
    world = Upgraded(made.folder, made.cloud, made.backend)
    world.edit("dev", project={"name": "upgrade", "postgres": oldest})
    world.bring_up_dev()
    world.bring_up_prod()
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    return world


@pytest.fixture(scope="module")
def newer(old: Upgraded) -> str:
    """The id of a project of the newer version."""
    return str(old.neon("POST", "/projects", {"project": {"name": "upgrade-newer"}})["project"]["id"])


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def versions(world: Upgraded, newer: str) -> dict[str, int]:
    major = "SELECT current_setting('server_version_num')::int / 10000"
    older = world.outputs("dev")["projects"]["neon"]
    return {"prod-v1": world.ask(older, "prod-v1", major)[0][0], "prod-v2": world.ask(newer, "prod-v2", major)[0][0]}


def test_production_moves_to_a_newer_postgres_with_what_visitors_wrote_after_the_first_copy(
    old: Upgraded, newer: str
) -> None:
    domain = old.outputs("prod")["domain"]
    before = old.orders("prod", "prod-v1")
    old.copy_into(newer, "prod-v2", "prod-v1")
    old.edit("prod", serve="prod-v1")
    made = old.up("prod")
    assert re.search(r"prod-v2 is filled from prod-v1: [\d,]+ rows in \d+ tables, each compared", flat(made))
    assert old.serving()["branch"] == "prod-v1"
    assert old.ask(newer, "prod-v2", "SELECT count(*) FROM orders") == [(before,)]

    assert old.post("/orders", domain) == CREATED, "visitors go on while the copy waits"
    old.edit("prod", serve="prod-v2")
    review = flat(old.preview("prod"))
    assert "production moves from prod-v1 to prod-v2" in review
    assert "nothing: the rows of prod-v1 are carried over once more behind the fence" in review
    assert "writes pause while the rows are carried over (the first time took" in review
    moved = flat(old.up("prod"))
    print(re.findall(r"carried over behind the fence:.*?only it holds [^.]*", moved))

    assert old.serving()["branch"] == "prod-v2"
    assert old.serving()["rows"]["orders"] == before + 1
    assert "only it holds 0 rows" in moved
    assert versions(old, newer) == {"prod-v1": next(iter(Installations.find().by_major)), "prod-v2": 18}
    old.up("prod", "--expect-no-changes")
    assert old.post("/orders", domain) == CREATED, "the sequences stand where they have to"


def test_the_way_back_counts_what_was_written_on_the_newer_one_and_nothing_else(old: Upgraded, newer: str) -> None:
    old.edit("prod", serve="prod-v1")
    with pytest.raises(CommandError, match=r"2 rows \(order_items 1, orders 1\) were written to prod-v2"):
        old.preview("prod")
    old.edit("prod", accept={"branch": "prod-v2", "rows": 2})
    old.up("prod")
    assert old.serving()["branch"] == "prod-v1"
    domain = old.outputs("prod")["domain"]
    assert old.post("/orders", domain) == CREATED
    old.edit("prod", serve="prod-v2", accept=None)
    with pytest.raises(CommandError, match=r"2 rows \(order_items 1, orders 1\) were written to prod-v1"):
        old.preview("prod")
    old.edit("prod", serve="prod-v1")
    old.up("prod", "--expect-no-changes")
    assert old.ask(newer, "prod-v2", "SELECT count(*) > 0 FROM orders") == [(True,)], "what has served isn't emptied"


def test_a_move_that_fails_after_the_copy_leaves_production_as_it_was(old: Upgraded, newer: str) -> None:
    before = old.serving()
    old.edit("prod", app={"path": "app", "health": {"path": "/health", "status": 418}})
    old.copy_into(newer, "prod-v3", "prod-v1")
    with pytest.raises(CommandError, match="Production is as it was"):
        old.up("prod")
    assert old.serving()["branch"] == before["branch"] == "prod-v1"
    assert old.post("/orders", old.outputs("prod")["domain"]) == CREATED, "it takes writes again"
    old.edit("prod", app={"path": "app"})
    old.up("prod")
    assert old.serving()["branch"] == "prod-v3"
    assert old.serving()["rows"]["orders"] == old.orders("prod", "prod-v1")
    old.up("prod", "--expect-no-changes")


def test_no_password_of_either_project_is_in_the_state(old: Upgraded) -> None:
    state = Path(old.folder / "state-of-upgrade.json")
    state.write_text(old.pulumi("stack", "export", "-s", "prod"))
    assert "npg_" not in state.read_text()
    state.unlink()
