"""The past after a kill: of the cloud, of a Postgres, of a replay under way."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.localcloud.neon.hosting import Host, Project, wait_until
from tests.localcloud.neon.test_history import at, numbers


@pytest.mark.parametrize("victim", ["cloud", "postgres"])
def test_the_past_survives_a_kill(own_host: Callable[[Path], Host], tmp_path: Path, victim: str) -> None:
    host = own_host(tmp_path / "state")
    project = Project(host, host.call("POST", "/projects", {"project": {}}, status=201))
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    first = project.moment()
    project.sql("INSERT INTO t VALUES (2)")
    second = project.moment()
    with psycopg.connect(project.uri(), autocommit=True) as session:
        session.execute("SET synchronous_commit = off")
        session.execute("INSERT INTO t VALUES (3)")
        if victim == "postgres":
            pid = (host.state / "branches" / project.root / "data" / "postmaster.pid").read_text().splitlines()[0]
            os.kill(int(pid), signal.SIGKILL)
            wait_until(lambda: project.state_of(project.endpoint) == "idle")
        else:
            host.end(signal.SIGKILL)
            wait_until(host.has_no_postgres)
            host.start()
    assert numbers(project, at(project, first)) == [1]
    assert numbers(project, at(project, second)) == [1, 2]


def test_a_restored_branch_that_was_killed_in_the_making_leaves_no_trace(
    own_host: Callable[[Path], Host], tmp_path: Path
) -> None:
    host = own_host(tmp_path / "state")
    project = Project(host, host.call("POST", "/projects", {"project": {}}, status=201))
    project.sql("CREATE TABLE t AS SELECT generate_series(1, 500000) AS n")
    moment = project.moment()
    before = set((host.state / "branches").iterdir())

    def ask() -> None:
        try:
            at(project, moment)
        except Exception:  # noqa: BLE001 - the connection breaks in one way or another
            return

    client = threading.Thread(target=ask)
    client.start()
    wait_until(lambda: any((folder / "data").exists() for folder in set((host.state / "branches").iterdir()) - before))
    host.end(signal.SIGKILL)
    client.join()
    host.start()
    assert set((host.state / "branches").iterdir()) == before
    assert len(host.call("GET", f"{project.path}/branches")["branches"]) == 1
    assert project.sql("SELECT count(*) FROM t", at(project, moment)) == [(500_000,)]
