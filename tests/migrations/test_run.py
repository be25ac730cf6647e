"""Every way in which a migration goes wrong, on real Postgres, with each tool: we say why, and nothing is half done."""

# ruff: noqa: S608 - every name in these statements is the tests' own

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from environments.clients.postgres import with_login
from environments.migrations import run as running
from environments.migrations.drizzle.kit import run_kit
from environments.migrations.errors import MigrationFailedError
from environments.migrations.result import Run
from environments.migrations.run import Pending, run, runner_of
from environments.migrations.session import APPLICATION, Limits, end_sessions
from environments.migrations.tools import tool_for
from tests.localcloud.neon.hosting import ROOT, wait_until
from tests.migrations.written import KINDS, file_of, write
from tests.resources.computes import OWNER, Database, Session
from tests.resources.computes import run as query

pytestmark = pytest.mark.slow

LIMITS = Limits(lock=2, statement=5, run=20, connect=5)
MADE = ("made", "CREATE TABLE t (n int);INSERT INTO t VALUES (1)")
every_kind = pytest.mark.parametrize("kind", KINDS)


def migrate(folder: Path, url: str, limits: Limits = LIMITS) -> Run:
    return run(tool_for(folder), folder, url, limits)


def failed(folder: Path, url: str, limits: Limits = LIMITS) -> MigrationFailedError:
    with pytest.raises(MigrationFailedError) as raised:
        migrate(folder, url, limits)
    return raised.value


def rows(owner: Session, folder: Path) -> int:
    return len(tool_for(folder).applied(owner))


def is_running(owner: Session) -> bool:
    found = query(
        owner, f"SELECT pid FROM pg_stat_activity WHERE application_name = '{APPLICATION}' AND query ~ 'sleep'"
    )
    return bool(found)


@every_kind
def test_what_is_pending_runs_once_and_is_noted_as_the_tool_does(
    app: Path, url: str, owner: Session, kind: str
) -> None:
    folder = write(app, kind, [MADE, ("more", "ALTER TABLE t ADD m int")])
    done = migrate(folder, url)
    assert len(done.applied) == 2
    assert [each.file for each in done.statements] == [file_of(kind, 1, "made")] * 2 + [file_of(kind, 2, "more")]
    assert rows(owner, folder) == 2
    assert migrate(folder, url).applied == ()
    assert query(owner, "SELECT n, m FROM t") == [(1, None)]


@every_kind
def test_an_error_names_file_statement_and_sqlstate_and_all_is_rolled_back(
    app: Path, url: str, owner: Session, kind: str
) -> None:
    folder = write(app, kind, [("wrong", "CREATE TABLE t (n int);INSERT INTO t VALUES (1/0)")])
    error = failed(folder, url)
    assert (error.file, error.number, error.sqlstate) == (file_of(kind, 1, "wrong"), 2, "22012")
    assert "INSERT INTO t VALUES (1/0)" in str(error)
    assert query(owner, "SELECT to_regclass('t')") == [(None,)]
    assert rows(owner, folder) == 0


@pytest.mark.parametrize("kind", ["journal", "folders"])
def test_a_bad_second_migration_takes_the_good_first_with_it(app: Path, url: str, owner: Session, kind: str) -> None:
    folder = write(app, kind, [MADE, ("wrong", "ALTER TABLE nothing ADD m int")])
    assert failed(folder, url).sqlstate == "42P01"
    assert query(owner, "SELECT to_regclass('t')") == [(None,)]


def test_plain_files_before_the_bad_one_stay(app: Path, url: str, owner: Session) -> None:
    folder = write(app, "plain", [MADE, ("wrong", "ALTER TABLE nothing ADD m int")])
    assert failed(folder, url).file == "0002_wrong.sql"
    assert rows(owner, folder) == 1


@every_kind
def test_a_row_that_a_later_constraint_forbids_is_found_at_the_end(app: Path, url: str, kind: str) -> None:
    sql = "CREATE TABLE t (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);INSERT INTO t VALUES (1), (1)"
    error = failed(write(app, kind, [("late", sql)]), url)
    assert error.sqlstate == "23505"
    assert "(1)" not in str(error)


@every_kind
def test_an_error_shows_no_password(app: Path, url: str, kind: str) -> None:
    error = failed(write(app, kind, [("role", "CREATE ROLE neondb_owner PASSWORD 'open sesame'")]), url)
    assert error.sqlstate == "42710"
    assert "sesame" not in str(error)


@every_kind
def test_a_schema_that_was_made_by_other_means_is_told_apart(app: Path, url: str, owner: Session, kind: str) -> None:
    query(owner, "CREATE TABLE t (n int)")
    assert "made by other means" in str(failed(write(app, kind, [MADE]), url))


@every_kind
def test_a_bad_password_is_called_one(app: Path, url: str, kind: str) -> None:
    error = failed(write(app, kind, [MADE]), with_login(url, OWNER, "sesame"))
    assert "password authentication failed" in str(error)
    assert "sesame" not in str(error)


@every_kind
def test_a_refused_connection_is_called_one(app: Path, url: str, kind: str, unused_tcp_port: int) -> None:
    nowhere = str(httpx.URL(url).copy_with(port=unused_tcp_port))
    error = failed(write(app, kind, [MADE]), nowhere, Limits(connect=0.5))
    assert "refused" in str(error)
    assert "compute" in error.remedy


def test_drizzle_kit_is_heard_on_a_bad_password_and_a_refused_connection(
    app: Path, url: str, unused_tcp_port: int
) -> None:
    folder = write(app, "journal", [MADE])
    todo = Pending(tool_for(folder), folder, url, LIMITS)
    nowhere = str(httpx.URL(url).copy_with(port=unused_tcp_port))
    for wrong, code in ((with_login(url, OWNER, "sesame"), "28P01"), (nowhere, "ECONNREFUSED")):
        todo.url = wrong
        with pytest.raises(MigrationFailedError) as raised:
            run_kit(todo, LIMITS)
        assert raised.value.sqlstate == code, raised.value


@every_kind
def test_a_session_that_is_ended_half_way_is_told_and_the_next_run_converges(
    app: Path, url: str, owner: Session, kind: str
) -> None:
    folder = write(app, kind, [("slow", "CREATE TABLE t (n int);SELECT pg_sleep(2)")])
    with ThreadPoolExecutor() as pool:
        error = pool.submit(failed, folder, url)
        wait_until(lambda: is_running(owner))
        assert end_sessions(url, LIMITS) == 1
        assert error.result().sqlstate == "57P01"
    assert rows(owner, folder) == 0
    assert len(migrate(folder, url).applied) == 1


RUNNER = """
import os, sys
from pathlib import Path
from environments.migrations.session import Limits
from environments.migrations.run import run
from environments.migrations.tools import tool_for
folder = Path(sys.argv[1])
run(tool_for(folder), folder, os.environ["URL"], Limits())
"""


@every_kind
def test_a_runner_that_is_killed_half_way_leaves_nothing_and_the_next_run_converges(
    app: Path, url: str, owner: Session, kind: str
) -> None:
    folder = write(app, kind, [("slow", "CREATE TABLE t (n int);SELECT pg_sleep(1);SELECT pg_sleep(1)")])
    killed = subprocess.Popen([sys.executable, "-c", RUNNER, str(folder)], env=os.environ | {"URL": url}, cwd=ROOT)
    wait_until(lambda: is_running(owner))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_until(lambda: not is_running(owner))
    assert rows(owner, folder) == 0
    assert len(migrate(folder, url).applied) == 1


@every_kind
def test_a_statement_that_takes_too_long_is_stopped(app: Path, url: str, kind: str) -> None:
    folder = write(app, kind, [("slow", "CREATE TABLE t (n int);SELECT pg_sleep(30)")])
    error = failed(folder, url, Limits(statement=1))
    assert (error.sqlstate, error.number) == ("57014", 2)
    assert "statement_timeout" in error.remedy


@every_kind
def test_a_lock_that_others_hold_is_not_waited_for_without_end(
    app: Path, url: str, owner: Session, database: Database, kind: str
) -> None:
    query(owner, "CREATE TABLE t (n int)")
    with database.owner() as other, other.transaction():
        query(other, "SELECT FROM t")
        error = failed(write(app, kind, [("alter", "ALTER TABLE t ADD m int")]), url, Limits(lock=0.5))
    assert error.sqlstate == "55P03"


def test_a_drizzle_kit_that_hangs_is_ended_with_its_session(app: Path, url: str, owner: Session) -> None:
    folder = write(app, "journal", [("slow", "CREATE TABLE t (n int);SELECT pg_sleep(60)")])
    began = time.monotonic()
    error = failed(folder, url, Limits(statement=60, run=2))
    assert "did not end within 2 s" in str(error)
    assert time.monotonic() - began < 10
    assert not is_running(owner)
    assert rows(owner, folder) == 0


@pytest.mark.parametrize("kind", ["folders", "plain"])
def test_migrations_that_take_too_long_together_are_stopped(app: Path, url: str, owner: Session, kind: str) -> None:
    folder = write(app, kind, [("slow", "SELECT pg_sleep(1);SELECT pg_sleep(1);SELECT 1")])
    assert "is over" in str(failed(folder, url, Limits(run=1.5)))
    assert rows(owner, folder) == 0


def test_a_migration_with_an_older_when_is_refused_before_drizzle_skips_it(app: Path, url: str, owner: Session) -> None:
    migrate(write(app, "journal", [MADE], [5]), url)
    folder = write(app, "journal", [MADE, ("late", "ALTER TABLE t ADD m int")], [5, 3])
    error = failed(folder, url)
    assert "0001_late: it would be skipped in silence" in str(error)
    assert rows(owner, folder) == 1


@pytest.mark.parametrize("kind", ["folders", "plain"])
def test_a_migration_that_comes_late_runs_where_the_tool_goes_by_names(app: Path, url: str, kind: str) -> None:
    migrate(write(app, kind, [MADE], [5]), url)
    folder = write(app, kind, [MADE, ("late", "ALTER TABLE t ADD m int")], [5, 3])
    assert len(migrate(folder, url).applied) == 1


@every_kind
def test_an_edited_file_that_was_applied_is_refused(app: Path, url: str, kind: str) -> None:
    migrate(write(app, kind, [MADE]), url)
    edited = write(app, kind, [("made", "CREATE TABLE t (n bigint)")])
    error = failed(edited, url)
    assert f"{file_of(kind, 1, 'made')}: it was changed after it ran here" in str(error)


@every_kind
def test_two_runners_at_once_apply_everything_once(app: Path, url: str, owner: Session, kind: str) -> None:
    folder = write(app, kind, [("slow", "CREATE TABLE t (n int);SELECT pg_sleep(1)")])
    ready = threading.Barrier(2)

    def start() -> Run:
        ready.wait()
        return migrate(folder, url)

    with ThreadPoolExecutor() as pool:
        both = [pool.submit(start) for _ in range(2)]
        results = [each.result() for each in both]
    assert sorted(bool(each.warning) for each in results) == [False, True]
    assert "another runner" in "".join(each.warning for each in results)
    assert rows(owner, folder) == 1


def test_a_tool_that_reports_success_and_does_nothing_is_found_out(
    app: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(app, "journal", [MADE])
    assert runner_of(tool_for(folder)) is run_kit
    monkeypatch.setattr(running, "runner_of", lambda _tool: lambda _todo, _limits: ())
    assert "reported success and did not apply it" in str(failed(folder, url))


def test_an_app_without_drizzle_kit_is_told_to_install_it(tmp_path: Path, url: str) -> None:
    assert "npm ci" in str(failed(write(tmp_path, "journal", [MADE]), url))


def test_a_table_of_drizzle_0_is_taken_over_by_the_folders_that_drizzle_kit_made_of_it(
    app: Path, url: str, owner: Session
) -> None:
    (app / "old").mkdir()
    (app / "old" / "node_modules").symlink_to(app / "node_modules")
    migrate(write(app / "old", "journal", [MADE]), url)
    folder = write(app, "folders", [MADE, ("more", "ALTER TABLE t ADD m int")])
    assert migrate(folder, url).applied == ("19700101000200_more",)
    named = query(owner, "SELECT name, applied_at IS NULL FROM drizzle.__drizzle_migrations ORDER BY id")
    assert named == [("19700101000100_made", True), ("19700101000200_more", False)]


def test_a_table_elsewhere_is_the_one_that_is_written(app: Path, url: str, owner: Session) -> None:
    for kind in ("journal", "folders"):
        (app / kind).mkdir()
        folder = write(app / kind, kind, [(kind, "SELECT 1")])
        (app / kind / "node_modules").symlink_to(app / "node_modules")
        assert run(tool_for(folder, f"inside.{kind}"), folder, url, LIMITS).applied
        assert query(owner, f"SELECT count(*) FROM inside.{kind}") == [(1,)]
    assert query(owner, "SELECT to_regclass('drizzle.__drizzle_migrations')") == [(None,)]


def test_the_limits_hold_for_psycopg_and_the_endpoint_stays_in_the_options(url: str) -> None:
    with psycopg.connect(LIMITS.url(url)) as connection:
        found = connection.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert found.fetchone() == ("2s", "5s")
