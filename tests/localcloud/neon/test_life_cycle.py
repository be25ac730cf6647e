"""The life of one project's branches in short; every promise in it has tests of its own in the other files."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.localcloud.neon.hosting import Host, Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alive(host: Host) -> Iterator[Project]:
    """A project that these tests may change."""
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "alive"}}, status=201))
    made.sql("CREATE TABLE t AS SELECT 1 AS n")
    yield made
    host.call("DELETE", made.path)
    assert made.root not in {folder.name for folder in (host.state / "branches").iterdir()}


def test_a_branch_is_made_written_suspended_woken_and_deleted(alive: Project) -> None:
    made = alive.branch("child")
    branch, endpoint = made["branch"]["id"], made["endpoints"][0]["id"]
    alive.sql("INSERT INTO t VALUES (100)", branch)
    alive.suspend(endpoint)
    assert alive.state_of(endpoint) == "idle"
    assert alive.sql("SELECT sum(n) FROM t", branch) == [(101,)]
    uri = alive.uri(branch)
    alive.host.call("POST", f"{alive.path}/branches/{branch}/roles/neondb_owner/reset_password")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        alive.sql("SELECT 1", uri=uri)
    alive.host.call("DELETE", f"{alive.path}/branches/{branch}")
    assert branch not in {folder.name for folder in (alive.host.state / "branches").iterdir()}
    assert alive.sql("SELECT sum(n) FROM t") == [(1,)]


def test_a_branch_goes_back_in_time_beside_itself_and_in_place(alive: Project) -> None:
    moment = alive.moment()
    alive.sql("INSERT INTO t VALUES (2)")
    past = alive.branch("past", parent_timestamp=moment)["branch"]["id"]
    assert alive.sql("SELECT sum(n) FROM t", past) == [(1,)]
    body = {"source_branch_id": alive.root, "source_timestamp": moment, "preserve_under_name": "kept"}
    uri = alive.uri()
    alive.host.call("POST", f"{alive.path}/branches/{alive.root}/restore", body)
    assert alive.sql("SELECT sum(n) FROM t", uri=uri) == [(1,)]
    listed = alive.host.call("GET", f"{alive.path}/branches")["branches"]
    names = {branch["id"]: branch["name"] for branch in listed}
    assert {branch["name"]: names.get(branch.get("parent_id")) for branch in listed} == {
        "main": "kept",
        "kept": None,
        "past": "kept",
    }
