"""The restore point: the rows from right before the migration, and what happens to its name."""

from datetime import UTC, datetime, timedelta

import pytest

from environments.clients.neon import Address, Neon
from environments.ids import BranchId, BranchKey
from environments.migrations.restore_point import Copy, find_restore_point, first_undone, make_restore_point
from tests.localcloud.neon.hosting import Project
from tests.resources.computes import Database, Session
from tests.resources.computes import run as query

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("neon")]


@pytest.fixture
def served(database: Database) -> Address:
    return database.address


def test_a_branch_at_its_lsn_holds_what_was_there_before(
    served: Address, database: Database, owner: Session, project: Project
) -> None:
    query(owner, "CREATE TABLE t AS SELECT 1 AS n")
    with Neon() as neon:
        point = make_restore_point(neon, owner, served, "0001_more", 7)
        assert neon.endpoints(served.project, point.id) == []
    query(owner, "ALTER TABLE t ADD m int; INSERT INTO t VALUES (2, 2)")
    assert point.name == "before-0001_more"
    assert point.lsn in point.way_back(BranchKey("prod-v2"))
    ends = datetime.fromisoformat(point.expires_at) - datetime.now(UTC)
    assert timedelta(days=6.9) < ends <= timedelta(days=7)
    restored = project.branch("restored", parent_lsn=point.lsn)["branch"]["id"]
    with database.owner(restored) as connection:
        assert query(connection, "SELECT * FROM t") == [(1,)]


def test_what_an_earlier_try_left_is_replaced_and_found(served: Address, owner: Session) -> None:
    with Neon() as neon:
        first = make_restore_point(neon, owner, served, "0002_again", 1)
        second = make_restore_point(neon, owner, served, "0002_again", 1)
        found = find_restore_point(neon, served, ["0001_other", "0002_again"])
        names = [branch.name for branch in neon.branches(served.project)]
    assert found is not None
    assert (found.id, found.lsn) == (second.id, second.lsn)
    assert first.id != second.id
    assert names.count("before-0002_again") == 1


def test_a_branch_of_that_name_that_is_not_ours_stays(served: Address, owner: Session, project: Project) -> None:
    kept = project.branch("before-0003_taken", endpoint=False)["branch"]["id"]
    with Neon() as neon:
        point = make_restore_point(neon, owner, served, "0003_taken", 1)
        assert point.name == "before-0003_taken-2"
        assert neon.branch(served.project, BranchId(kept)).name == "before-0003_taken"
        again = make_restore_point(neon, owner, served, "0003_taken", 1)
        assert again.name == "before-0003_taken-2"
        found = find_restore_point(neon, served, ["0003_taken"])
    assert found is not None
    assert found.id == again.id


def test_it_shows_what_a_copy_as_of_an_earlier_moment_would_run_again(served: Address, owner: Session) -> None:
    tags = ["0000_first", "0004_undone", "0005_later"]
    with Neon() as neon:
        point = make_restore_point(neon, owner, served, "0004_undone", 1)

        def first(copy: Copy) -> str:
            return first_undone(neon, served.project, served.branch, copy, tags)

        assert [first(Copy(at=at)) for at in (point.lsn, "0/100", "1700000000")] == ["0004_undone"] * 3
        assert [first(Copy(at=at)) for at in ("FF/0", "4000000000", "")] == ["", "", ""], "after the migration, or now"
        neon.keep_branch(served.project, point.id)
        assert first(Copy(id=point.id)) == "0004_undone", "the restore point itself, adopted"
        assert neon.branch(served.project, point.id).expires_at == ""
        neon.delete_branch(served.project, point.id)
