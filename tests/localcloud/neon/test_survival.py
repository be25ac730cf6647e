"""The cloud's end and its return: nothing is lost, nothing is left behind, nothing secret lies about."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.localcloud.neon.hosting import API_KEY, Host, Project, wait_until

OwnHost = Callable[[Path], Host]


def make_project(host: Host, **fields: object) -> Project:
    return Project(host, host.call("POST", "/projects", {"project": fields}, status=201))


def test_after_a_kill_everything_is_found_again_and_no_compute_was_left_alone(
    own_host: OwnHost, tmp_path: Path
) -> None:
    host = own_host(tmp_path / "state")
    project = make_project(host)
    project.sql("CREATE TABLE t AS SELECT generate_series(1, 100) AS n")
    branch = project.branch("child")["branch"]["id"]
    uri = project.uri(branch)
    with psycopg.connect(uri, autocommit=True) as session:
        session.execute("INSERT INTO t VALUES (101)")
        host.end(signal.SIGKILL)
    wait_until(host.has_no_postgres)
    host.start()
    assert project.sql("SELECT count(*) FROM t", uri=uri) == [(101,)]
    assert project.sql("SELECT count(*) FROM t") == [(100,)]


def test_a_postgres_that_outlived_its_cloud_is_stopped_by_the_next_one(own_host: OwnHost, tmp_path: Path) -> None:
    host = own_host(tmp_path / "state")
    project = make_project(host)
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    stopped = _postmaster(host, project.root)
    # A stopped process heeds no signal but SIGKILL until it goes on: the first cloud's end can't reach it.
    os.kill(stopped, signal.SIGSTOP)
    try:
        host.end(signal.SIGKILL)
        assert stopped in host.postmasters()
    finally:
        threading.Timer(0.5, os.kill, (stopped, signal.SIGCONT)).start()
    host.start()
    assert stopped not in host.postmasters()
    assert project.sql("SELECT n FROM t") == [(1,)]


def test_a_killed_postgres_comes_back_with_the_next_client(own_host: OwnHost, tmp_path: Path) -> None:
    host = own_host(tmp_path / "state")
    project = make_project(host)
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    os.kill(_postmaster(host, project.root), signal.SIGKILL)
    wait_until(lambda: project.state_of(project.endpoint) == "idle")
    assert project.sql("SELECT n FROM t") == [(1,)]
    # And the branch of a parent that crashed and wasn't started since has what was committed.
    os.kill(_postmaster(host, project.root), signal.SIGKILL)
    wait_until(lambda: project.state_of(project.endpoint) == "idle")
    assert project.sql("SELECT n FROM t", project.branch("child")["branch"]["id"]) == [(1,)]


def test_a_clean_stop_leaves_no_process_and_what_never_suspends_is_up_again(own_host: OwnHost, tmp_path: Path) -> None:
    host = own_host(tmp_path / "state")
    always = make_project(host, default_endpoint_settings={"suspend_timeout_seconds": -1})
    sleeper = make_project(host)
    host.end()
    assert host.postmasters() == []
    assert not (host.state / "sockets").exists()
    host.start()
    assert (always.state_of(always.endpoint), sleeper.state_of(sleeper.endpoint)) == ("active", "idle")


def test_a_branch_whose_making_was_killed_leaves_no_trace(own_host: OwnHost, tmp_path: Path) -> None:
    host = own_host(tmp_path / "state")
    project = make_project(host)
    project.sql("CREATE TABLE t AS SELECT generate_series(1, 1000000) AS n")
    before = set((host.state / "branches").iterdir())
    client = threading.Thread(target=_try_to_branch, args=(project,))
    client.start()
    wait_until(lambda: any((folder / "data").exists() for folder in set((host.state / "branches").iterdir()) - before))
    host.end(signal.SIGKILL)
    client.join()
    host.start()
    assert set((host.state / "branches").iterdir()) == before
    assert len(host.call("GET", f"{project.path}/branches")["branches"]) == 1
    assert project.sql("SELECT count(*) FROM t", project.branch("child")["branch"]["id"]) == [(1_000_000,)]


def test_a_deep_path_below_a_private_folder_is_no_obstacle(own_host: OwnHost, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    host = own_host(private.joinpath(*("a-folder-with-a-long-name-indeed" for _ in range(6))) / "state")
    assert len(str(host.state)) > 200
    project = make_project(host)
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    assert project.sql("SELECT n FROM t", project.branch("child")["branch"]["id"]) == [(1,)]
    assert private.stat().st_mode & 0o777 == 0o700
    assert private.stat().st_uid == os.geteuid()


def test_no_password_and_no_key_lies_in_a_log_or_on_a_command_line(own_host: OwnHost, tmp_path: Path) -> None:
    host = own_host(tmp_path / "state")
    project = make_project(host)
    role = host.call("POST", f"{project.path}/branches/{project.root}/roles", {"role": {"name": "app"}}, status=201)[
        "role"
    ]
    canary = "canary-in-a-statement"
    for statement in (
        f"ALTER ROLE app PASSWORD '{canary}'",
        f"ALTER ROLE nobody PASSWORD '{canary}'",
        f'ALTER ROLE app PASSWORD "{canary}"',
        f"SELECT '{canary}'::int",
    ):
        try:
            project.sql(statement)
        except psycopg.Error:
            continue
    with pytest.raises(psycopg.OperationalError):
        project.sql("SELECT 1", uri=project.uri().replace("npg_", canary))
    secrets = [API_KEY, canary, role["password"], project.answer["roles"][0]["password"]]
    lines = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in host.postmasters())
    assert "postgres" in lines
    host.end()
    logs = [host.log, *host.state.rglob("*.log")]
    assert len(logs) == 3
    for text in (lines, *(log.read_text() for log in logs)):
        assert not [secret for secret in secrets if secret in text]


def test_nobody_else_may_read_the_state(host: Host, settled: Project) -> None:
    assert settled.root
    assert host.state.stat().st_mode & 0o777 == 0o700
    for path in (host.state / "control.sqlite", *(host.state / "branches").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    sockets = Path((host.state / "sockets").read_text())
    assert sockets.stat().st_mode & 0o777 == 0o700


def test_a_wake_takes_a_moment(host: Host, settled: Project) -> None:
    uri = settled.uri()
    host.call("POST", f"{settled.path}/endpoints/{settled.endpoint}/suspend")
    began = time.monotonic()
    settled.sql("SELECT 1", uri=uri)
    # The goal is 0.1 s; this only catches a start that waits for something it shouldn't.
    assert time.monotonic() - began < 5


def _postmaster(host: Host, branch: str) -> int:
    return int((host.state / "branches" / branch / "data" / "postmaster.pid").read_text().splitlines()[0])


def _try_to_branch(project: Project) -> None:
    try:
        project.branch("lost")
    except Exception:  # noqa: BLE001 - the connection breaks in one way or another
        return
