"""Restores in place: the branch keeps its id and its host, nothing is lost that was to be preserved."""

import threading
from datetime import datetime

import psycopg
import pytest

from tests.localcloud.neon.hosting import Json, Project, wait_until


def restore(project: Project, branch: str, **body: object) -> Json:
    return project.host.call("POST", f"{project.path}/branches/{branch}/restore", body)


def numbers(project: Project, branch: str | None = None, uri: str | None = None) -> list[int]:
    return [row[0] for row in project.sql("SELECT n FROM t ORDER BY n", branch, uri)]


def named(project: Project, name: str) -> Json:
    listed = project.host.call("GET", f"{project.path}/branches")["branches"]
    return next(dict(branch) for branch in listed if branch["name"] == name)


def with_endpoint(project: Project, branch: str) -> str:
    body = {"endpoint": {"branch_id": branch, "type": "read_write"}}
    project.host.call("POST", f"{project.path}/endpoints", body, status=201)
    return branch


def test_a_branch_goes_back_to_its_own_past_under_the_same_url_and_its_present_is_kept(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moment = project.moment()
    project.sql("INSERT INTO t VALUES (2)")
    uri = project.uri()
    answer = restore(
        project, project.root, source_branch_id=project.root, source_timestamp=moment, preserve_under_name="before"
    )
    assert numbers(project, uri=uri) == [1]
    assert project.sql("SELECT current_setting('neon.branch_id')", uri=uri) == [(project.root,)]
    kept = named(project, "before")
    assert (answer["branch"]["id"], answer["branch"]["parent_id"]) == (project.root, kept["id"])
    assert (answer["branch"]["default"], kept["default"]) == (True, False)
    assert answer["branch"]["last_reset_at"]
    assert "parent_id" not in kept
    assert {operation["status"] for operation in answer["operations"]} == {"finished"}
    assert numbers(project, with_endpoint(project, kept["id"])) == [1, 2]
    # It has a history again, from here on.
    later = project.moment()
    project.sql("INSERT INTO t VALUES (3)")
    assert numbers(project, project.branch("later", parent_timestamp=later)["branch"]["id"]) == [1]
    status, text = project.host.refused("POST", f"{project.path}/branches", {"branch": {"parent_timestamp": moment}})
    assert status == 400
    assert "precedes the start" in text
    old = {"parent_id": kept["id"], "parent_timestamp": moment}
    made = project.host.call("POST", f"{project.path}/branches", {"branch": old}, status=201)["branch"]["id"]
    assert numbers(project, with_endpoint(project, made)) == [1]


def test_a_second_restore_of_the_same_branch_and_a_restore_to_a_position_work(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    for name in ("first", "second"):
        lsn = project.sql("SELECT pg_current_wal_lsn()::text")[0][0]
        project.sql("INSERT INTO t VALUES (2)")
        body = {"source_branch_id": project.root, "source_lsn": lsn, "preserve_under_name": name}
        assert restore(project, project.root, **body)["branch"]["parent_lsn"] == lsn
        assert numbers(project) == [1]
    assert numbers(project, with_endpoint(project, named(project, "second")["id"])) == [1, 2]


def test_children_move_to_the_preserved_branch_and_keep_their_rows_and_their_past(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moment = project.moment()
    project.sql("INSERT INTO t VALUES (2)")
    child = project.branch("child")["branch"]["id"]
    childs = project.moment(child)
    project.sql("INSERT INTO t VALUES (3)", child)
    body = {"source_branch_id": project.root, "source_timestamp": moment}
    restore(project, project.root, **body, preserve_under_name="kept")
    kept = named(project, "kept")["id"]
    assert project.host.call("GET", f"{project.path}/branches/{child}")["branch"]["parent_id"] == kept
    assert numbers(project, child) == [1, 2, 3]
    past = project.branch("past", parent=child, parent_timestamp=childs)["branch"]["id"]
    assert numbers(project, past) == [1, 2]


def test_a_branch_is_reset_to_its_parents_head_and_its_former_content_is_gone(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    child = project.branch("child")["branch"]["id"]
    project.sql("INSERT INTO t VALUES (100)", child)
    project.sql("INSERT INTO t VALUES (2)")
    uri, folders = project.uri(child), len(list((project.host.state / "branches").iterdir()))
    answer = restore(project, child, source_branch_id=project.root)["branch"]
    assert answer["parent_id"] == project.root
    assert datetime.fromisoformat(answer["last_reset_at"]) > datetime.fromisoformat(answer["created_at"])
    assert numbers(project, uri=uri) == [1, 2]
    assert len(list((project.host.state / "branches").iterdir())) == folders
    assert len(project.host.call("GET", f"{project.path}/branches")["branches"]) == 2
    project.host.call("DELETE", f"{project.path}/branches/{child}")
    assert len(list((project.host.state / "branches").iterdir())) == folders - 1


def test_a_suspended_branch_stays_suspended_and_wakes_restored(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moment, uri = project.moment(), project.uri()
    project.sql("INSERT INTO t VALUES (2)")
    project.suspend()
    body = {"source_branch_id": project.root, "source_timestamp": moment}
    restore(project, project.root, **body, preserve_under_name="kept")
    assert project.state_of(project.endpoint) == "idle"
    assert numbers(project, uri=uri) == [1]


def test_clients_that_come_during_a_restore_meet_the_old_or_the_new_content_and_no_write_is_torn(
    project: Project,
) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moment, uri = project.moment(), project.uri()
    project.sql("INSERT INTO t VALUES (2)")
    stop, written = threading.Event(), [0]

    def write() -> None:
        while not stop.is_set():
            try:
                with psycopg.connect(uri, autocommit=True) as session:
                    while not stop.is_set():
                        session.execute("INSERT INTO t VALUES (3)")
                        written[0] += 1
            except psycopg.Error:
                continue

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        body = {"source_branch_id": project.root, "source_timestamp": moment}
        restore(project, project.root, **body, preserve_under_name="kept")
        after = written[0]
        wait_until(lambda: written[0] > after + 20)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    new, old = numbers(project), numbers(project, with_endpoint(project, named(project, "kept")["id"]))
    assert (2 in new, 2 in old) == (False, True)
    # At most the one answer that each writer didn't hear is there without having been counted.
    assert written[0] <= new.count(3) + old.count(3) <= written[0] + len(writers)


def test_restored_content_survives_a_restart_of_the_cloud(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    moment, uri = project.moment(), project.uri()
    project.sql("INSERT INTO t VALUES (2)")
    body = {"source_branch_id": project.root, "source_timestamp": moment}
    restore(project, project.root, **body, preserve_under_name="kept")
    project.host.end()
    project.host.start()
    assert numbers(project, uri=uri) == [1]
    assert numbers(project, with_endpoint(project, named(project, "kept")["id"])) == [1, 2]


@pytest.mark.parametrize(
    ("target", "body", "status", "reason"),
    [
        ("root", {"source_branch_id": "root", "preserve_under_name": "x"}, 400, "give source_timestamp or source_lsn"),
        ("root", {"source_branch_id": "root", "source_lsn": "0/1"}, 400, "give preserve_under_name"),
        ("root", {"source_branch_id": "bare"}, 400, "has children (bare)"),
        ("bare", {"source_branch_id": "root", "preserve_under_name": "main"}, 409, "branch already exists"),
        ("bare", {"source_branch_id": "br-none-none-00000000"}, 404, "not found"),
        ("bare", {"source_branch_id": "root", "source_timestamp": "2999-01-01T00:00:00Z"}, 400, "in the future"),
        ("bare", {}, 400, "source_branch_id"),
    ],
)
def test_a_restore_that_breaks_a_rule_is_refused(
    settled: Project, target: str, body: Json, status: int, reason: str
) -> None:
    ids = {"root": settled.root, "bare": settled.bare}
    sent = {name: ids.get(value, value) for name, value in body.items()}
    refused, text = settled.host.refused("POST", f"{settled.path}/branches/{ids[target]}/restore", sent)
    assert (refused, reason in text) == (status, True), text
    assert len(settled.host.call("GET", f"{settled.path}/branches")["branches"]) == 2


def test_a_protected_branch_is_not_restored(project: Project) -> None:
    moment, path = project.moment(), f"{project.path}/branches/{project.root}"
    project.host.call("PATCH", path, {"branch": {"protected": True}})
    body = {"source_branch_id": project.root, "source_timestamp": moment, "preserve_under_name": "kept"}
    status, text = project.host.refused("POST", f"{path}/restore", body)
    assert (status, "unprotect it first" in text) == (422, True)


def test_another_branch_becomes_the_default_one(project: Project) -> None:
    child = project.branch("child", endpoint=False)["branch"]["id"]
    answer = project.host.call("POST", f"{project.path}/branches/{child}/set_as_default")["branch"]
    assert (answer["default"], answer["primary"]) == (True, True)
    branches = project.host.call("GET", f"{project.path}/branches")["branches"]
    assert [branch["id"] for branch in branches if branch["default"]] == [child]
    made = project.host.call("POST", f"{project.path}/branches", {}, status=201)["branch"]
    assert made["parent_id"] == child
    assert project.host.refused("DELETE", f"{project.path}/branches/{child}")[0] == 422
