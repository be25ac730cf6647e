"""Branches from a point of the past: exact to the commit, whatever happened since."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.localcloud.neon.hosting import Json, Project, wait_until


def numbers(project: Project, branch: str | None = None) -> list[int]:
    return [row[0] for row in project.sql("SELECT n FROM t ORDER BY n", branch)]


def position(project: Project, branch: str | None = None) -> str:
    return str(project.sql("SELECT pg_current_wal_lsn()::text", branch)[0][0])


def at(project: Project, moment: str, *, parent: str | None = None) -> str:
    """The id of a branch that is as its parent was then."""
    return str(project.branch(f"at {moment}", parent=parent, parent_timestamp=moment)["branch"]["id"])


def test_a_branch_at_a_time_has_what_was_committed_before_and_nothing_later(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moments = []
    for _ in range(3):
        moments.append(project.moment())
        project.sql("INSERT INTO t SELECT max(n) + 1 FROM t")
    for count, moment in enumerate(moments, 1):
        made = project.branch(f"after {count}", parent_timestamp=moment)["branch"]
        assert numbers(project, made["id"]) == list(range(1, count + 1))
        assert datetime.fromisoformat(made["parent_timestamp"]) == datetime.fromisoformat(moment)
        assert made["parent_lsn"]
    assert numbers(project) == [1, 2, 3, 4]


def test_a_branch_at_a_position_has_what_was_logged_before_it(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    with psycopg.connect(project.uri(), autocommit=True) as session:
        before = session.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        session.execute("INSERT INTO t VALUES (2)")
        after = session.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        session.execute("INSERT INTO t VALUES (3)")
    assert before is not None
    assert after is not None
    for lsn, expected in ((before[0], [1]), (after[0], [1, 2]), (position(project), [1, 2, 3])):
        made = project.branch(f"at {lsn}", parent_lsn=lsn)["branch"]
        assert numbers(project, made["id"]) == expected
        assert made["parent_lsn"] == lsn
        assert datetime.fromisoformat(made["parent_timestamp"]) <= datetime.now(UTC)


def test_a_position_right_before_a_commit_is_before_that_commit(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    with psycopg.connect(project.uri()) as session:
        session.execute("INSERT INTO t VALUES (2)")
        found = session.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        session.commit()
    assert found is not None
    assert numbers(project, project.branch("before", parent_lsn=found[0])["branch"]["id"]) == [1]
    assert numbers(project) == [1, 2]


def test_each_of_many_commits_is_on_the_side_of_the_moment_where_it_belongs(project: Project) -> None:
    project.host.call("PATCH", project.path, {"project": {"history_retention_seconds": 3600}})
    project.sql("CREATE TABLE t (n int, at timestamptz)")
    uri, stop = project.uri(), threading.Event()

    def write(first: int) -> None:
        with psycopg.connect(uri, autocommit=True) as session:
            number = first
            while not stop.is_set():
                session.execute("INSERT INTO t VALUES (%s, clock_timestamp())", (number,))
                number += 2

    writers = [threading.Thread(target=write, args=(first,)) for first in range(2)]
    for writer in writers:
        writer.start()
    wait_until(lambda: bool(project.sql("SELECT count(*) > 200 FROM t")[0][0]))
    acknowledged = {row[0] for row in project.sql("SELECT n FROM t")}
    moment = project.moment()
    branch = at(project, moment)
    stop.set()
    for writer in writers:
        writer.join()
    found = dict(project.sql("SELECT n, at FROM t", branch))
    assert acknowledged <= found.keys()
    assert max(found.values()) <= datetime.fromisoformat(moment)
    assert len(found) < len(project.sql("SELECT n FROM t"))


def test_a_suspended_parent_stays_suspended_even_if_nothing_was_committed_since(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    between = project.moment()
    project.sql("INSERT INTO t VALUES (2)")
    lsn, last = position(project), project.moment()
    project.suspend()
    assert numbers(project, at(project, between)) == [1]
    assert numbers(project, at(project, last)) == [1, 2]
    assert numbers(project, project.branch("lsn", parent_lsn=lsn)["branch"]["id"]) == [1, 2]
    assert project.state_of(project.endpoint) == "idle"


def test_a_time_before_the_latest_branch_points_and_parents_of_parents_are_found(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    early = project.moment()
    project.sql("INSERT INTO t VALUES (2)")
    child = project.branch("child")["branch"]["id"]
    project.sql("INSERT INTO t VALUES (100)")
    project.sql("INSERT INTO t VALUES (3)", child)
    grandchild = project.branch("grandchild", parent=child)["branch"]["id"]
    project.sql("INSERT INTO t VALUES (101)", child)
    project.sql("INSERT INTO t VALUES (4)", grandchild)
    late = project.moment(grandchild)
    project.sql("INSERT INTO t VALUES (5)", grandchild)
    assert numbers(project, at(project, early)) == [1]
    great_grandchild = at(project, late, parent=grandchild)
    assert numbers(project, great_grandchild) == [1, 2, 3, 4]
    # And the past of one that was itself made from the past.
    project.sql("INSERT INTO t VALUES (6)", great_grandchild)
    moment = project.moment(great_grandchild)
    project.sql("INSERT INTO t VALUES (7)", great_grandchild)
    assert numbers(project, at(project, moment, parent=great_grandchild)) == [1, 2, 3, 4, 6]
    assert numbers(project, project.branch("head", parent=great_grandchild)["branch"]["id"]) == [1, 2, 3, 4, 6, 7]
    assert numbers(project) == [1, 2, 100]


def test_a_branch_that_never_ran_has_been_the_same_all_its_life(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    middle = project.branch("middle", endpoint=False)["branch"]["id"]
    project.sql("INSERT INTO t VALUES (2)")
    assert numbers(project, at(project, project.moment(), parent=middle)) == [1]


def test_roles_and_databases_are_those_of_that_time_and_passwords_those_of_now(project: Project) -> None:
    roles = f"{project.path}/branches/{project.root}/roles"
    databases = f"{project.path}/branches/{project.root}/databases"
    project.host.call("POST", roles, {"role": {"name": "early"}}, status=201)
    body = {"database": {"name": "dropped", "owner_name": "early"}}
    project.host.call("POST", databases, body, status=201)
    moment = project.moment()
    project.host.call("POST", roles, {"role": {"name": "late"}}, status=201)
    project.host.call("DELETE", f"{databases}/dropped")
    current = project.host.call("POST", f"{roles}/early/reset_password")["role"]["password"]
    branch = at(project, moment)
    path = f"{project.path}/branches/{branch}"
    assert {role["name"] for role in project.host.call("GET", f"{path}/roles")["roles"]} == {"neondb_owner", "early"}
    listed = project.host.call("GET", f"{path}/databases")["databases"]
    assert {database["name"]: database["owner_name"] for database in listed} == {
        "neondb": "neondb_owner",
        "dropped": "early",
    }
    assert project.host.call("GET", f"{path}/roles/early/reveal_password")["password"] == current
    uri = project.uri(branch, role="early", database="dropped")
    assert current in uri
    assert project.sql("SELECT current_user", uri=uri) == [("early",)]


def test_the_child_of_a_protected_branch_has_passwords_of_its_own_at_any_time(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moment, parents = project.moment(), project.uri()
    project.host.call("PATCH", f"{project.path}/branches/{project.root}", {"branch": {"protected": True}})
    branch = at(project, moment)
    secret = parents.partition("neondb_owner:")[2].partition("@")[0]
    assert numbers(project, branch) == [1]
    assert secret not in project.uri(branch)
    own = project.uri(branch)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        project.sql("SELECT 1", uri=own.replace(own.partition("neondb_owner:")[2].partition("@")[0], secret))


def test_a_parent_that_is_branched_at_a_time_takes_writes_meanwhile_and_stays_whole(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT generate_series(1, 50000) AS n")
    moment = project.moment()
    project.sql("UPDATE t SET n = n + 1")
    uri, stop, done = project.uri(), threading.Event(), [0]

    def write() -> None:
        with psycopg.connect(uri, autocommit=True) as session:
            while not stop.is_set():
                session.execute("INSERT INTO t VALUES (0)")
                done[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        before = done[0]
        branch = at(project, moment)
        during = done[0] - before
    finally:
        stop.set()
        writer.join()
    assert during > 20
    assert project.sql("SELECT count(*), max(n) FROM t", branch) == [(50_000, 50_000)]
    project.sql("DELETE FROM t", branch)
    query = "SELECT count(*) FILTER (WHERE n > 0), count(*) FILTER (WHERE n = 0) FROM t"
    assert project.sql(query) == [(50_000, done[0])]
    # What is read from the files alone, too.
    project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/restart")
    assert project.sql(query) == [(50_000, done[0])]


def test_a_point_that_history_does_not_hold_is_refused_with_the_reason_and_leaves_nothing(project: Project) -> None:
    child = project.branch("child")["branch"]
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    cases: list[tuple[Json, str]] = [
        ({"parent_timestamp": future}, "is in the future"),
        ({"parent_timestamp": before}, "precedes the start of branch"),
        ({"parent_timestamp": "yesterday"}, "looks like 2026-02-26T12:00:00Z"),
        ({"parent_timestamp": "2026-01-01T00:00:00"}, "looks like 2026-02-26T12:00:00Z"),
        ({"parent_lsn": "here"}, "looks like 0/1DE2850"),
        ({"parent_lsn": "0/1"}, "precedes the start of branch"),
        ({"parent_lsn": "FFFF/0"}, "is ahead of branch"),
        ({"parent_lsn": "0/1", "parent_timestamp": before}, "both given"),
        ({"parent_lsn": "FFFF/0", "parent_id": child["id"]}, "is ahead of branch"),
        ({"parent_lsn": "0/1", "parent_id": child["id"]}, "precedes the start of branch"),
    ]
    folders = set((project.host.state / "branches").iterdir())
    for fields, reason in cases:
        status, text = project.host.refused("POST", f"{project.path}/branches", {"branch": fields})
        assert (status, reason in text) == (400, True), text
    assert len(project.host.call("GET", f"{project.path}/branches")["branches"]) == 2
    assert set((project.host.state / "branches").iterdir()) == folders


def test_a_time_before_the_retention_is_refused(project: Project) -> None:
    moment = project.moment()
    project.host.call("PATCH", project.path, {"project": {"history_retention_seconds": 0}})
    status, text = project.host.refused("POST", f"{project.path}/branches", {"branch": {"parent_timestamp": moment}})
    assert status == 400
    assert "outside of the project's history of 0 s" in text
    assert project.host.call("POST", f"{project.path}/branches", {}, status=201)


def test_the_log_of_the_past_is_kept_and_not_copied_with_a_branch(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moment = project.moment()
    project.sql("INSERT INTO t SELECT generate_series(2, 400000)")

    def segments(branch: str) -> int:
        log = project.host.state / "branches" / branch / "data" / "pg_wal"
        return sum(len(file.name) == 24 for file in log.iterdir())

    running = project.branch("from a running parent", endpoint=False)["branch"]["id"]
    project.suspend()
    stopped = project.branch("from a stopped parent", endpoint=False)["branch"]["id"]
    assert segments(project.root) > 5
    assert segments(running) < 4
    assert segments(stopped) < 3
    assert numbers(project, at(project, moment)) == [1]
