"""Migration, the resource: what a preview refuses and asks, what `pulumi up` does, and what a crash leaves."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pulumi.runtime.rpc import UNKNOWN

from environments.migrations import apply as migrating
from environments.migrations import rehearsal
from environments.migrations.lock import LockedError
from environments.migrations.result import MigrationFailedError
from tests.localcloud.neon.hosting import API_KEY, ROOT, Host
from tests.resources.computes import Database, Session, run
from tests.resources.migrated import World, changes, create, provider, refusals, update

pytestmark = pytest.mark.slow

MADE = ("made", "CREATE TABLE t (n bigint);INSERT INTO t SELECT generate_series(1, 1000)")
MORE = ("more", "ALTER TABLE t ADD COLUMN m bigint")


@pytest.fixture
def world(tmp_path: Path, database: Database, host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)
    (tmp_path / "node_modules").symlink_to(ROOT / "app" / "node_modules")
    world = World(tmp_path, database)
    yield world
    project = database.project
    for branch in project.host.call("GET", f"{project.path}/branches")["branches"]:
        if branch["name"].startswith(("before-", "rehearsal-")):
            project.host.call("DELETE", f"{project.path}/branches/{branch['id']}")


def test_an_up_rehearses_keeps_a_way_back_runs_and_counts(world: World, owner: Session) -> None:
    outs = create(world.props(MADE))
    assert outs["applied"] == ["0000_made"]
    assert outs["pending"] == []
    assert outs["restore_point"]["name"] == "before-0000_made"
    assert outs["restore_point"]["lsn"] in outs["way_back"]
    assert {"table": "t", "before": None, "after": 1000} in outs["receipt"]["rows"]
    assert len(outs["ran"]["statements"]) == 2
    assert run(owner, "SELECT count(*) FROM t") == [(1000,)]
    assert world.branches() == ["before-0000_made"]


def test_a_second_up_runs_what_was_added_alone(world: World, owner: Session) -> None:
    first = create(world.props(MADE))
    news = world.props(MADE, MORE)
    assert changes(first, news)
    second = update(first, news)
    assert second["applied"] == ["0001_more"]
    assert ("AccessExclusiveLock", "reads and writes") in {
        (each["mode"], each["blocks"]) for each in second["receipt"]["locks"]
    }
    assert not changes(second, news)
    assert run(owner, "SELECT count(*) FROM drizzle.__drizzle_migrations") == [(2,)]


def test_a_preview_without_changes_opens_no_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    props = world.props(MADE)
    outs = create(props)
    monkeypatch.setenv("NEON_API_HOST", "http://127.0.0.1:9/api/v2")
    assert refusals(props, props) == ""
    assert not changes(outs, props)


def test_a_preview_tells_the_sql(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusals({}, world.props(MADE)) == ""
    told = capsys.readouterr()
    assert "pending: 1 migration" in told.out + told.err
    assert "INSERT INTO t SELECT generate_series(1, 1000)" in told.out + told.err


def test_what_loses_rows_is_refused_until_the_settings_name_it(world: World, owner: Session) -> None:
    run(owner, "CREATE TABLE t (n int)")
    drop = ("drop", "DROP TABLE t")
    assert "allow_data_loss: [0000_drop]" in refusals({}, world.props(drop))
    with pytest.raises(MigrationFailedError, match="allow_data_loss"):
        create(world.props(drop))
    named = world.props(drop, allow_data_loss=["0000_drop"])
    assert refusals({}, named) == ""
    assert create(named)["applied"] == ["0000_drop"]


def test_a_branch_that_is_not_there_yet_is_judged_when_it_is(world: World) -> None:
    assert refusals({}, world.props(MADE) | {"branch": UNKNOWN, "endpoint": UNKNOWN}) == ""


def test_a_folder_that_contradicts_itself_is_refused_in_the_preview(world: World) -> None:
    world.props(MADE)
    (world.folder / "0000_made.sql").unlink()
    assert "0000_made.sql" in refusals({}, world.props())


def test_a_failed_rehearsal_leaves_the_branch_untouched(world: World, owner: Session) -> None:
    outs = create(world.props(MADE))
    wrong = world.props(MADE, ("wrong", "ALTER TABLE t ADD COLUMN m bigint;UPDATE t SET m = 1 / (n - n)"))
    with pytest.raises(MigrationFailedError, match="rehearsal on a copy of prod-v1 failed") as raised:
        update(outs, wrong)
    assert "0001_wrong.sql, statement 2: division by zero (SQLSTATE 22012)" in str(raised.value)
    assert run(owner, "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'm'") == [(0,)]
    assert world.branches() == ["before-0000_made"]


def test_it_stops_after_the_rehearsal_and_does_not_rehearse_the_same_again(
    world: World, owner: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = world.props(MADE, stop_after_rehearsal=True)
    waiting = create(stops)
    assert waiting["pending"] == ["0000_made"]
    assert waiting["restore_point"] is None
    assert run(owner, "SELECT to_regclass('t')") == [(None,)]
    assert not changes(waiting, stops)
    monkeypatch.setattr(migrating, "rehearse", lambda *_: pytest.fail("rehearsed twice"))
    goes_on = world.props()
    assert changes(waiting, goes_on)
    assert update(waiting, goes_on)["applied"] == ["0000_made"]


def test_a_rehearsal_can_be_left_out(world: World) -> None:
    outs = create(world.props(MADE, rehearse=False))
    assert outs["applied"] == ["0000_made"]
    assert outs["receipt"] is None


def test_a_run_whose_state_was_lost_is_found_with_its_way_back(world: World) -> None:
    props = world.props(MADE)
    before = create(props)
    again = create(props)
    assert again["pending"] == []
    assert again["restore_point"]["id"] == before["restore_point"]["id"]
    assert again["restore_point"]["lsn"] == before["restore_point"]["lsn"]
    assert world.branches() == ["before-0000_made"]


KILLED = """
import json, os, signal, sys
from environments.migrations import apply as migrating
from environments.resources.migration import MigrationProvider
step = sys.argv[1]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if step == "in the rehearsal":
    import environments.migrations.rehearsal
    environments.migrations.rehearsal.count_tables = die
elif step == "before the run":
    migrating.run_pending = die
else:
    migrating._ran = die
MigrationProvider().create(json.loads(sys.argv[2]))
"""


@pytest.mark.parametrize("step", ["in the rehearsal", "before the run", "after the run"])
def test_an_up_that_is_killed_converges_with_the_next_one(world: World, owner: Session, step: str) -> None:
    props = world.props(MADE)
    done = subprocess.run([sys.executable, "-c", KILLED, step, json.dumps(props)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    outs = create(props)
    assert outs["pending"] == []
    assert outs["restore_point"]["name"] == "before-0000_made"
    assert run(owner, "SELECT count(*) FROM t") == [(1000,)]
    assert run(owner, "SELECT count(*) FROM drizzle.__drizzle_migrations") == [(1,)]
    assert world.branches() == ["before-0000_made"]


def test_two_at_once_wait_for_each_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "_LOCK_SECONDS", 0.3)
    real = rehearsal.rehearse

    def rehearse(*arguments: Any) -> Any:
        with pytest.raises(LockedError, match="another migration holds the lock"):
            create(world.props())
        return real(*arguments)

    monkeypatch.setattr(migrating, "rehearse", rehearse)
    assert create(world.props(MADE))["applied"] == ["0000_made"]


def test_the_app_may_use_what_a_migration_makes(world: World, database: Database, owner: Session) -> None:
    database.make_app(owner)
    create(world.props(MADE))
    with database.app() as app:
        assert run(app, "INSERT INTO t VALUES (7) RETURNING n") == [(7,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(app, "ALTER TABLE t ADD x int")


def test_a_refresh_finds_a_table_that_was_set_back(world: World, owner: Session) -> None:
    outs = create(world.props(MADE))
    assert provider.read("migration", outs).inputs["digest"] == outs["digest"]  # type: ignore[index]
    run(owner, "DROP TABLE t; TRUNCATE drizzle.__drizzle_migrations")
    found = provider.read("migration", outs)
    assert found.outs is not None
    assert found.outs["pending"] == ["0000_made"]
    assert changes(dict(found.outs), world.props())
    assert update(dict(found.outs), world.props())["applied"] == ["0000_made"]


def test_without_a_folder_nothing_is_asked_and_nothing_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEON_API_KEY")
    nothing = world.props(MADE) | {"folder": "", "digest": ""}
    assert refusals({}, nothing) == ""
    assert create(nothing)["pending"] == []
    assert not changes(nothing, nothing)


def test_files_that_changed_since_the_program_read_them_are_not_run(world: World) -> None:
    props = world.props(MADE)
    (world.folder / "0000_made.sql").write_text("SELECT 1")
    with pytest.raises(MigrationFailedError, match="changed while this ran"):
        create(props)


def test_outputs_hold_no_secret(world: World, database: Database) -> None:
    password = database.project.uri().split(":")[2].split("@")[0]
    assert password not in str(create(world.props(MADE)))
