"""Migration, the resource: what a preview refuses and asks, what `pulumi up` does, and what a crash leaves."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from environments import log
from environments.ids import BranchKey, Transaction
from environments.migrations import apply
from environments.migrations.errors import MigrationFailedError
from environments.migrations.lock import LockedError
from environments.migrations.rehearsal import rehearse as rehearsing
from environments.migrations.rehearsal.receipt import TableCount
from environments.props import UNKNOWN
from environments.resources.migration import Inputs
from environments.resources.typed import State
from tests.localcloud.neon.hosting import API_KEY, ROOT, Host
from tests.resources.computes import Database, Session, run
from tests.resources.migrated import World, changes, create, refusals, resource, update

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
    outputs = create(world.inputs(MADE)).outputs
    assert outputs.pending == ()
    assert outputs.ran
    assert outputs.ran.applied == ("0000_made",)
    assert len(outputs.ran.statements) == 2
    assert outputs.restore_point
    assert outputs.restore_point.name == "before-0000_made"
    assert outputs.restore_point.lsn in outputs.way_back
    assert outputs.receipt
    assert TableCount(table="t", before=None, after=1000) in outputs.receipt.rows
    assert run(owner, "SELECT count(*) FROM t") == [(1000,)]
    assert world.branches() == ["before-0000_made"]


def test_the_state_holds_all_of_it_and_reads_back_the_same(world: World) -> None:
    made = create(world.inputs(MADE))
    stored = resource.decoded_state(made.id, resource.encoded(made.inputs), resource.encoded(made.outputs))
    assert stored == made


def test_a_second_up_runs_what_was_added_alone(world: World, owner: Session) -> None:
    first = create(world.inputs(MADE))
    new = world.inputs(MADE, MORE)
    assert changes(first, new)
    second = update(first, new)
    assert applied(second) == ("0001_more",)
    assert second.outputs.receipt
    assert ("AccessExclusiveLock", "reads and writes") in {
        (each.mode, each.blocks) for each in second.outputs.receipt.locks
    }
    assert not changes(second, new)
    assert run(owner, "SELECT count(*) FROM drizzle.__drizzle_migrations") == [(2,)]


def test_a_preview_without_changes_opens_no_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = world.inputs(MADE)
    made = create(inputs)
    monkeypatch.setenv("NEON_API_HOST", "http://127.0.0.1:9/api/v2")
    assert refusals(inputs, inputs) == ""
    assert not changes(made, inputs)


def test_other_settings_alone_run_nothing(world: World) -> None:
    made = create(world.inputs(MADE))
    assert not changes(made, world.inputs(lock_timeout=3, level="warning"))


def test_a_preview_shows_the_sql(world: World) -> None:
    with log.collected() as said:
        assert refusals(None, world.inputs(MADE)) == ""
    [block] = said
    assert block.startswith("pending: 1 migration")
    assert "INSERT INTO t SELECT generate_series(1, 1000)" in block


def test_what_loses_rows_is_refused_until_the_settings_name_it(world: World, owner: Session) -> None:
    run(owner, "CREATE TABLE t (n int)")
    drop = ("drop", "DROP TABLE t")
    assert "allow_data_loss: [0000_drop]" in refusals(None, world.inputs(drop))
    with pytest.raises(MigrationFailedError, match="allow_data_loss"):
        create(world.inputs(drop))
    named = world.inputs(drop, allow_data_loss=("0000_drop",))
    assert refusals(None, named) == ""
    assert applied(create(named)) == ("0000_drop",)


MADE_FOR_THE_APP = (MADE[0], f"{MADE[1]};CREATE SCHEMA hidden")
TAKES = {
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY": "public.t",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY;CREATE POLICY p ON t USING (current_user = 'ann')": "public.t",
    "REVOKE SELECT ON t FROM {role}": "public.t",
    "REVOKE USAGE ON SCHEMA hidden FROM {role};ALTER TABLE t SET SCHEMA hidden": "hidden.t",
}


@pytest.mark.parametrize("sql", TAKES)
def test_a_migration_that_takes_rights_or_rows_from_the_app_is_refused_after_the_rehearsal_and_touches_nothing(
    world: World, database: Database, owner: Session, sql: str
) -> None:
    first = create(world.inputs(MADE_FOR_THE_APP))
    database.make_app(owner)
    takes, name = ("takes", sql.format(role=database.role)), TAKES[sql]
    with pytest.raises(MigrationFailedError) as refused:
        update(first, world.inputs(MADE_FOR_THE_APP, takes, level="off"))
    said = str(refused.value)
    assert "the rehearsal on a copy of prod-v1 shows that the app would see or do less there, prod-v1 itself" in said
    assert f"which {database.role}" not in said, "it is the same login, before and after"
    lost = f"{'hidden, ' if 'hidden' in name else ''}{name}"
    assert said.endswith(f"If the app can do without: safety.fewer_rights: [{lost}]")
    with database.app() as app:
        assert run(app, "SELECT count(*) FROM t") == [(1000,)]
    assert run(owner, "SELECT count(*) FROM drizzle.__drizzle_migrations") == [(1,)]
    assert "before-0001_takes" not in world.branches()
    listed = (name, "hidden")
    with log.collected() as told:
        second = update(first, world.inputs(MADE_FOR_THE_APP, takes, level="off", fewer_rights=listed))
    assert applied(second) == ("0001_takes",)
    assert [line for line in told if line.endswith("(safety.fewer_rights allows it)")]
    stored = resource.decoded_state(second.id, resource.encoded(second.inputs), resource.encoded(second.outputs))
    assert stored == second


def test_a_migration_that_nobody_rehearsed_and_that_takes_rights_from_the_app_is_told_loudly(
    world: World, database: Database, owner: Session
) -> None:
    first = create(world.inputs(MADE))
    database.make_app(owner)
    takes = ("takes", "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    with log.collected() as told:
        update(first, world.inputs(MADE, takes, rehearse=False, level="off"))
    (warning,) = [line for line in told if "which nobody rehearsed" in line]
    assert warning.startswith("warning: the app sees or does less on prod-v1 since these migrations ran")
    assert f"{database.role} can't SELECT, INSERT, UPDATE, DELETE public.t" in warning


def test_a_table_that_a_migration_makes_and_the_app_can_not_use_is_told(
    world: World, database: Database, owner: Session
) -> None:
    first = create(world.inputs(MADE))
    database.make_app(owner)
    makes = ("makes", f"CREATE TABLE secrets (n bigint);REVOKE ALL ON secrets FROM {database.role}")
    with log.collected() as told:
        assert applied(update(first, world.inputs(MADE, makes, level="off"))) == ("0001_makes",)
    assert [line for line in told if f"public.secrets is new, and {database.role} can't SELECT" in line]


def test_a_login_that_is_closed_has_nothing_to_lose(world: World, database: Database, owner: Session) -> None:
    first = create(world.inputs(MADE))
    database.make_app(owner)
    run(owner, f"ALTER ROLE {database.role} NOLOGIN")
    takes = ("takes", "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    assert applied(update(first, world.inputs(MADE, takes, level="off"))) == ("0001_takes",)


def test_a_branch_that_is_not_made_yet_is_judged_when_it_is(world: World) -> None:
    with log.collected() as said:
        assert refusals(None, replace(world.inputs(MADE), branch=UNKNOWN, endpoint=UNKNOWN)) == ""
    assert said == ["migrations: prod-v1 isn't made yet. pulumi up makes it, then runs what is pending of 1 migrations"]


def test_a_folder_that_contradicts_itself_is_refused_in_the_preview(world: World) -> None:
    world.inputs(MADE)
    (world.folder / "0000_made.sql").unlink()
    assert "0000_made.sql" in refusals(None, world.inputs())


def test_a_failed_rehearsal_leaves_the_branch_untouched(world: World, owner: Session) -> None:
    made = create(world.inputs(MADE))
    wrong = world.inputs(MADE, ("wrong", "ALTER TABLE t ADD COLUMN m bigint;UPDATE t SET m = 1 / (n - n)"))
    with pytest.raises(MigrationFailedError, match="rehearsal on a copy of prod-v1 failed") as raised:
        update(made, wrong)
    assert "0001_wrong.sql, statement 2: division by zero (SQLSTATE 22012)" in str(raised.value)
    assert run(owner, "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'm'") == [(0,)]
    assert world.branches() == ["before-0000_made"]


def test_it_stops_after_the_rehearsal_and_does_not_rehearse_the_same_again(
    world: World, owner: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = world.inputs(MADE, stop_after_rehearsal=True)
    waiting = create(stops)
    assert waiting.outputs.pending == ("0000_made",)
    assert waiting.outputs.restore_point is None
    assert run(owner, "SELECT to_regclass('t')") == [(None,)]
    assert not changes(waiting, stops)
    monkeypatch.setattr(apply, "rehearse", lambda *_: pytest.fail("rehearsed twice"))
    goes_on = world.inputs()
    assert changes(waiting, goes_on)
    assert applied(update(waiting, goes_on)) == ("0000_made",)


def test_a_rehearsal_can_be_left_out(world: World) -> None:
    made = create(world.inputs(MADE, rehearse=False))
    assert applied(made) == ("0000_made",)
    assert made.outputs.receipt is None


def test_a_run_whose_state_was_lost_is_found_with_its_way_back(world: World) -> None:
    inputs = world.inputs(MADE)
    before = create(inputs).outputs
    again = create(inputs).outputs
    assert again.pending == ()
    assert before.restore_point
    assert again.restore_point == replace(before.restore_point, xmin=Transaction(""))
    assert again.way_back == before.way_back
    assert world.branches() == ["before-0000_made"]


def test_a_rehearsed_run_whose_state_was_lost_is_found_with_its_way_back(world: World) -> None:
    waiting = create(world.inputs(MADE, stop_after_rehearsal=True))
    goes_on = world.inputs()
    lost, found = update(waiting, goes_on), update(waiting, goes_on)
    assert found.outputs.pending == ()
    assert lost.outputs.restore_point
    assert found.outputs.restore_point == replace(lost.outputs.restore_point, xmin=Transaction(""))


KILLED = """
import json, os, signal, sys
from environments.migrations import apply
from environments.resources.migration import Migration
step = sys.argv[1]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if step == "in the rehearsal":
    from environments.migrations.rehearsal import rehearse
    rehearse.count_tables = die
elif step == "before the run":
    apply.run_pending = die
else:
    apply._Update._report = die
resource = Migration()
resource.create(resource.decoded_inputs(json.loads(sys.argv[2])))
"""


@pytest.mark.parametrize("step", ["in the rehearsal", "before the run", "after the run"])
def test_an_up_that_is_killed_converges_with_the_next_one(world: World, owner: Session, step: str) -> None:
    inputs = world.inputs(MADE)
    given = json.dumps(resource.encoded(inputs))
    done = subprocess.run([sys.executable, "-c", KILLED, step, given], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    outputs = create(inputs).outputs
    assert outputs.pending == ()
    assert outputs.restore_point
    assert outputs.restore_point.name == "before-0000_made"
    assert run(owner, "SELECT count(*) FROM t") == [(1000,)]
    assert run(owner, "SELECT count(*) FROM drizzle.__drizzle_migrations") == [(1,)]
    assert world.branches() == ["before-0000_made"]


def test_two_at_once_wait_for_each_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_LOCK_SECONDS", 0.3)
    real = rehearsing.rehearse

    def rehearse(*arguments: Any) -> Any:
        with pytest.raises(LockedError, match="Another migration has held the lock"):
            create(world.inputs())
        return real(*arguments)

    monkeypatch.setattr(apply, "rehearse", rehearse)
    assert applied(create(world.inputs(MADE))) == ("0000_made",)


def test_the_app_may_use_what_a_migration_makes(world: World, database: Database, owner: Session) -> None:
    database.make_app(owner)
    create(world.inputs(MADE))
    with database.app() as app:
        assert run(app, "INSERT INTO t VALUES (7) RETURNING n") == [(7,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(app, "ALTER TABLE t ADD x int")


def test_a_refresh_finds_a_table_that_was_set_back(world: World, owner: Session) -> None:
    made = create(world.inputs(MADE))
    assert resource.read(made) == made
    run(owner, "DROP TABLE t; TRUNCATE drizzle.__drizzle_migrations")
    found = resource.read(made)
    assert found.outputs.pending == ("0000_made",)
    assert changes(found, world.inputs())
    assert refusals(found.inputs, world.inputs(level="off")) == ""
    assert applied(update(found, world.inputs())) == ("0000_made",)


def test_a_refresh_that_can_not_ask_keeps_what_it_knew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(world.inputs(MADE))
    monkeypatch.setenv("NEON_API_KEY", "not the key")
    with log.collected() as said:
        assert resource.read(made) == made
    assert said[0].startswith("warning: can't find out which migrations are pending on prod-v1")


def test_without_migrations_nothing_is_asked_and_nothing_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEON_API_KEY")
    nothing = replace(world.inputs(MADE), migrations=None)
    assert refusals(None, nothing) == ""
    made = create(nothing)
    assert (made.outputs.pending, made.outputs.way_back) == ((), "")
    assert not changes(made, nothing)
    assert not changes(made, replace(nothing, branch=UNKNOWN))
    assert resource.read(made) == made


def test_a_copy_of_before_a_migration_is_refused_while_the_folder_holds_it(world: World) -> None:
    serves = world.inputs(MADE)
    point = create(serves).outputs.restore_point
    assert point
    copy = replace(serves, key=BranchKey("restored"), source=serves.key, at=point.lsn, branch=UNKNOWN)
    for back in (copy, replace(copy, source=BranchKey(""), at="", branch=point.id)):
        assert refusals(serves, back).startswith(
            f"restored is prod-v1 as it was before 0000_made. {world.folder} still holds 0000_made"
        )
    assert refusals(serves, replace(copy, at="FF/0")) == "", "a copy of after it has run it"
    assert refusals(None, copy) == "", "nothing ran before"


def test_files_that_changed_since_the_program_read_them_are_not_run(world: World) -> None:
    inputs = world.inputs(MADE)
    (world.folder / "0000_made.sql").write_text("SELECT 1")
    with pytest.raises(MigrationFailedError, match="changed while this ran"):
        create(inputs)


def test_outputs_hold_no_secret(world: World, database: Database) -> None:
    password = database.project.uri().split(":")[2].split("@")[0]
    assert password not in str(resource.encoded(create(world.inputs(MADE)).outputs))


def applied(state: State[Inputs, Any]) -> tuple[str, ...]:
    """The migrations of the last run."""
    return tuple(state.outputs.ran.applied) if state.outputs.ran else ()
