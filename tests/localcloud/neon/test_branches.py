"""Branches: they begin as their parent is, go their own way, and never disturb it."""

import threading
import time
from itertools import pairwise

import psycopg
import pytest

from tests.localcloud.neon.hosting import Project

pytestmark = pytest.mark.slow


def test_a_branch_has_the_parents_rows_and_both_go_their_own_way(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    branch = project.branch("child")["branch"]["id"]
    project.sql("INSERT INTO t VALUES (-1)")
    project.sql("DELETE FROM t WHERE n > 10", branch)
    assert project.sql("SELECT count(*), min(n) FROM t") == [(1001, -1)]
    assert project.sql("SELECT count(*), min(n) FROM t", branch) == [(10, 1)]


def test_the_parent_takes_writes_while_it_is_branched_and_the_branch_is_consistent(project: Project) -> None:
    project.sql("CREATE TABLE account (id int PRIMARY KEY, balance int)")
    project.sql("INSERT INTO account SELECT n, 100 FROM generate_series(1, 50) AS n")
    uri, stop, moments = project.uri(), threading.Event(), [time.monotonic()]

    def write() -> None:
        with psycopg.connect(uri, autocommit=True) as connection:
            while not stop.is_set():
                with connection.transaction():
                    connection.execute(
                        "UPDATE account SET balance = balance - 1 WHERE id = %s", (len(moments) % 50 + 1,)
                    )
                    connection.execute(
                        "UPDATE account SET balance = balance + 1 WHERE id = %s", (len(moments) % 7 + 1,)
                    )
                moments.append(time.monotonic())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        began = time.monotonic()
        branches = [project.branch(f"b{number}")["branch"]["id"] for number in range(3)]
        ended = time.monotonic()
    finally:
        stop.set()
        writer.join()
    for branch in branches:
        assert project.sql("SELECT sum(balance), count(*) FROM account", branch) == [(5000, 50)]
    during = [moment for moment in moments if began < moment < ended]
    assert len(during) > 100
    assert max(later - earlier for earlier, later in pairwise(during)) < 1.0


def test_a_row_that_was_committed_before_the_request_is_on_the_branch(project: Project) -> None:
    project.sql("CREATE TABLE t (n int)")
    for number in range(3):
        project.sql(f"INSERT INTO t SELECT {number}")
        branch = project.branch(f"b{number}")["branch"]["id"]
        assert project.sql("SELECT max(n) FROM t", branch) == [(number,)]


def test_branching_a_suspended_parent_leaves_it_suspended(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/suspend")
    branch = project.branch("child")["branch"]["id"]
    assert project.state_of(project.endpoint) == "idle"
    assert project.sql("SELECT n FROM t", branch) == [(1,)]


def test_a_branch_without_an_endpoint_can_be_branched_before_it_ever_ran(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    middle = project.branch("middle", endpoint=False)
    assert middle["endpoints"] == []
    leaf = project.branch("leaf", parent=middle["branch"]["id"])["branch"]
    assert leaf["parent_id"] == middle["branch"]["id"]
    assert project.sql("SELECT n FROM t", leaf["id"]) == [(1,)]


def test_every_branch_of_a_project_lives_on_a_timeline_of_its_own(project: Project) -> None:
    first = project.branch("first")["branch"]["id"]
    second = project.branch("second")["branch"]["id"]
    project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/suspend")
    third = project.branch("third")["branch"]["id"]
    grandchild = project.branch("grandchild", parent=first)["branch"]["id"]
    query = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
    branches = [project.root, first, second, third, grandchild]
    timelines = [project.sql(query, branch)[0][0] for branch in branches]
    assert len(set(timelines)) == len(branches)


def test_the_parent_defaults_to_the_default_branch_and_the_name_to_the_id(project: Project) -> None:
    branch = project.host.call("POST", f"{project.path}/branches", {}, status=201)["branch"]
    assert branch["parent_id"] == project.root
    assert branch["name"] == branch["id"]
    assert branch["parent_lsn"]
    assert branch["parent_timestamp"].endswith("Z")
    assert branch["logical_size"] > 0


def test_a_branch_is_renamed_and_protected(project: Project) -> None:
    path = f"{project.path}/branches/{project.branch('old', endpoint=False)['branch']['id']}"
    project.host.call("PATCH", path, {"branch": {"name": "new"}})
    project.host.call("PATCH", path, {"branch": {"protected": True}})
    shown = project.host.call("GET", path)
    assert (shown["branch"]["name"], shown["branch"]["protected"]) == ("new", True)
    assert shown["annotation"]["object"]["id"] == shown["branch"]["id"]


def test_branches_are_listed_searched_counted_and_paged(project: Project) -> None:
    for name in ("alpha", "beta"):
        project.branch(name, endpoint=False)
    whole = project.host.call("GET", f"{project.path}/branches")
    assert whole["annotations"] == {}
    assert "pagination" not in whole
    assert {branch["name"] for branch in whole["branches"]} == {"main", "alpha", "beta"}
    found = project.host.call("GET", f"{project.path}/branches", query={"search": "ALP"})["branches"]
    assert [branch["name"] for branch in found] == ["alpha"]
    assert project.host.call("GET", f"{project.path}/branches/count")["count"] == 3
    query = {"sort_by": "name", "sort_order": "asc", "limit": "2"}
    page = project.host.call("GET", f"{project.path}/branches", query=query)
    assert [branch["name"] for branch in page["branches"]] == ["alpha", "beta"]
    rest = project.host.call("GET", f"{project.path}/branches", query=query | {"cursor": page["pagination"]["next"]})
    assert [branch["name"] for branch in rest["branches"]] == ["main"]


def test_a_deleted_branch_is_gone_with_its_compute_and_files_and_deleting_it_again_is_no_error(
    project: Project,
) -> None:
    made = project.branch("child")
    branch, endpoint = made["branch"]["id"], made["endpoints"][0]["id"]
    folder = project.host.state / "branches" / branch
    assert folder.exists()
    deleted = project.host.call("DELETE", f"{project.path}/branches/{branch}")
    assert {operation["action"] for operation in deleted["operations"]} == {"suspend_compute", "delete_timeline"}
    assert not folder.exists()
    assert project.host.refused("GET", f"{project.path}/branches/{branch}")[0] == 404
    assert project.host.refused("GET", f"{project.path}/endpoints/{endpoint}")[0] == 404
    project.host.call("DELETE", f"{project.path}/branches/{branch}", status=204)


def test_default_protected_and_parent_branches_are_not_deleted(project: Project) -> None:
    middle = project.branch("middle", endpoint=False)["branch"]["id"]
    leaf = project.branch("leaf", parent=middle, endpoint=False, protected=True)["branch"]["id"]
    for branch, reason in ((project.root, "default"), (middle, "has children (leaf)"), (leaf, "protected")):
        status, text = project.host.refused("DELETE", f"{project.path}/branches/{branch}")
        assert (status, reason in text) == (422, True), text
        project.host.call("GET", f"{project.path}/branches/{branch}")


def test_a_name_is_taken_once_per_project(project: Project) -> None:
    branch = project.branch("child", endpoint=False)["branch"]["id"]
    body = {"branch": {"name": "child"}}
    assert project.host.refused("POST", f"{project.path}/branches", body) == (409, "branch already exists")
    body = {"branch": {"name": "main"}}
    assert project.host.refused("PATCH", f"{project.path}/branches/{branch}", body) == (409, "branch already exists")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"parent_id": "br-none-none-00000000"}, 404),
        ({"name": " x"}, 400),
        ({"name": ""}, 400),
        ({"init_source": "nothing"}, 400),
        ({"archived": "true"}, 501),
    ],
)
def test_a_branch_that_cannot_be_made_as_asked_is_refused_and_not_made(
    settled: Project, fields: dict[str, str], status: int
) -> None:
    assert settled.host.refused("POST", f"{settled.path}/branches", {"branch": fields})[0] == status
    assert len(settled.host.call("GET", f"{settled.path}/branches")["branches"]) == 2
