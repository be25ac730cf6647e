"""The rehearsal: on a copy of the rows, with what it measures, and with nothing left of the copy."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from environments.clients.neon import Address, Neon
from environments.ids import BranchId
from environments.migrations.errors import MigrationFailedError
from environments.migrations.rehearsal.receipt import Receipt, TableCount, receipt_digest
from environments.migrations.rehearsal.rehearse import rehearse
from environments.migrations.rehearsal.scratch_branch import delete_leftovers, scratch_branch
from environments.migrations.run import Pending
from environments.migrations.session import Limits
from environments.migrations.tools import tool_for
from tests.localcloud.neon.hosting import Project
from tests.migrations.written import KINDS, write
from tests.resources.computes import Database, Session
from tests.resources.computes import run as query

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("neon")]

LIMITS = Limits(lock=2, statement=10, run=20)


@pytest.fixture
def served(database: Database) -> Address:
    return database.address


def pending(app: Path, url: str, kind: str, *migrations: tuple[str, str]) -> Pending:
    folder = write(app, kind, migrations)
    return Pending(tool_for(folder), folder, url, LIMITS)


def names(project: Project) -> set[str]:
    return {branch["name"] for branch in project.host.call("GET", f"{project.path}/branches")["branches"]}


@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_on_a_copy_and_leaves_the_served_branch_and_nothing_else(
    app: Path, owner: Session, served: Address, project: Project, kind: str
) -> None:
    before, url = names(project), project.uri(database=served.database)
    query(owner, "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n; CREATE TABLE quiet (n int)")
    todo = pending(app, url, kind, ("wide", "ALTER TABLE t ADD m int;DELETE FROM t WHERE n > 900;SELECT pg_sleep(0.3)"))
    with Neon() as neon:
        receipt = rehearse(neon, served, todo, LIMITS)
    assert TableCount(table="t", before=1000, after=900) in receipt.rows
    held = {(lock.table, lock.mode): lock for lock in receipt.locks}
    assert {table for table, _ in held} == {"t"}
    assert held["t", "AccessExclusiveLock"].blocks == "reads and writes"
    assert held["t", "AccessExclusiveLock"].seconds > 0.3
    assert held["t", "RowExclusiveLock"].blocks == "writes to the 100 rows that it changes"
    assert [each.number for each in receipt.statements] == [1, 2, 3]
    assert receipt.statements[2].seconds >= 0.3
    assert "t: reads and writes wait" in str(receipt)
    assert query(owner, "SELECT count(*), max(n) FROM t") == [(1000, 1000)]
    assert todo.tool.applied(owner) == ()
    assert names(project) == before


def test_the_copy_has_productions_size_and_an_end(served: Address, project: Project) -> None:
    size = {"autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 2}
    project.host.call("PATCH", f"{project.path}/endpoints/{project.endpoint}", {"endpoint": size})
    with Neon() as neon, scratch_branch(neon, served) as copy:
        compute = neon.endpoints(served.project, copy.branch)[0]
        branch = neon.branch(served.project, copy.branch)
    assert (compute.min_cu, compute.max_cu) == (0.5, 2)
    ends = datetime.fromisoformat(branch.expires_at) - datetime.now(UTC)
    assert timedelta(minutes=50) < ends <= timedelta(hours=1)


def test_a_failure_names_the_statement_and_deletes_the_copy(
    app: Path, url: str, served: Address, project: Project
) -> None:
    before = names(project)
    todo = pending(app, url, "journal", ("wrong", "CREATE TABLE t (n int);ALTER TABLE nothing ADD m int"))
    with Neon() as neon, pytest.raises(MigrationFailedError) as raised:
        rehearse(neon, served, todo, LIMITS)
    assert (raised.value.file, raised.value.number, raised.value.sqlstate) == ("0000_wrong.sql", 2, "42P01")
    assert names(project) == before


def test_what_a_crash_left_is_deleted_and_nothing_that_only_looks_like_it(served: Address, project: Project) -> None:
    other = project.branch("other", endpoint=False)["branch"]["id"]
    ours, theirs, elsewhere = (f"rehearsal-of-{served.branch}-{end}" for end in ("0123abcd", "mine", "abcdabcd"))
    project.branch(ours)
    project.branch(theirs, endpoint=False)
    project.branch(elsewhere, parent=other, endpoint=False)
    with Neon() as neon:
        assert delete_leftovers(neon, served) == [ours]
    assert {theirs, elsewhere} <= names(project)
    assert ours not in names(project)


def test_a_receipt_holds_for_these_files_on_this_branch_and_for_a_week(app: Path, url: str, served: Address) -> None:
    todo = pending(app, url, "plain", ("made", "CREATE TABLE t (n int)"))
    digest = receipt_digest(todo, served.branch, LIMITS)
    now = datetime.now(UTC)
    fresh = Receipt(digest=digest, at=now.isoformat(), seconds=1, overhead=1, statements=(), locks=(), rows=())
    assert fresh.holds_for(digest)
    assert not replace(fresh, at=(now - timedelta(days=8)).isoformat()).holds_for(digest)
    assert not fresh.holds_for("another")
    assert receipt_digest(todo, BranchId("br-other"), LIMITS) != digest
    assert receipt_digest(todo, served.branch, replace(LIMITS, lock=1)) != digest
    assert receipt_digest(pending(app, url, "plain", ("made", "SELECT 1")), served.branch, LIMITS) != digest
