"""What a branch would leave behind after Neon restored it in place: counted right, or said not to be known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from environments.clients.neon import Address
from environments.clients.postgres import with_database
from environments.cutover.aftermath import NoteServed
from environments.cutover.guard import rows_of
from environments.cutover.other_writers import find_other_writers
from environments.cutover.pointer import CopiedFrom, Lineage
from environments.cutover.served import ServedBranch
from environments.database.marker import BranchMarker, read_marker, write_marker
from environments.database.provenance import EVERY_ROW, baseline
from environments.database.schemas import user_schemas
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeploymentId,
    EndpointId,
    NeonProject,
    RoleName,
    Transaction,
)
from environments.props import UNKNOWN
from tests.cutover.pointers import CLAIM, NO_LINEAGE, at, pointer
from tests.localcloud.neon.hosting import API_KEY, Host, Project, wait_until
from tests.resources.computes import OWNER, Database, Session, run

pytestmark = pytest.mark.slow

NAMES = (f"n{number}" for number in itertools.count())


@dataclass
class Marked:
    """A branch whose baseline was taken and noted, as AppLogin does, with what a cutover's state knows of it."""

    database: Database
    state: ServedBranch

    @property
    def branch(self) -> str:
        return self.state.address.branch

    def session(self) -> Session:
        return self.database.owner(self.branch)

    def write(self, rows: int) -> None:
        with self.session() as session:
            run(session, f"INSERT INTO t SELECT FROM generate_series(1, {rows})")

    def moment(self) -> str:
        return self.database.project.moment(self.branch)

    def child(self, *, marked: bool) -> Marked:
        return cloned(self.database, self.branch, marked=marked)

    def restore(self, source: str, moment: str | None = None, *, keep: bool = True) -> None:
        project = self.database.project
        body = {"source_branch_id": source} | ({"source_timestamp": moment} if moment else {})
        body |= {"preserve_under_name": next(NAMES)} if keep else {}
        project.host.call("POST", f"{project.path}/branches/{self.branch}/restore", body)


def cloned(database: Database, parent: str, *, marked: bool = True) -> Marked:
    project = database.project
    made = project.branch(next(NAMES), parent=parent)
    address = Address(
        NeonProject(project.answer["project"]["id"]),
        BranchId(made["branch"]["id"]),
        EndpointId(made["endpoints"][0]["id"]),
        DatabaseName(database.name),
        OWNER,
    )
    with database.owner(address.branch) as session:
        began = Transaction(baseline(session))
        if marked:
            write_marker(session, RoleName(database.role), BranchMarker(address.branch, began))
    return Marked(database, at(address, RoleName(database.role), began).made())


def counted(
    leaving: Marked, arriving: Marked | None = None, lineage: Lineage = NO_LINEAGE, **changes: Any
) -> int | str:
    """Return the total, or why there is none; `changes` are of the branch that is to serve."""
    state = (arriving or leaving).state
    to = at(state.address, state.role, state.baseline)
    count = rows_of(leaving.state, pointer(replace(to, **changes), lineage=lineage))
    return count.missing or count.total


def copy_of(source: Marked) -> tuple[Marked, Lineage]:
    """Return a clone of `source` that is to serve next, and what the settings say of where it was cloned from."""
    with source.session() as session:
        fork = Transaction(baseline(session))
    return source.child(marked=True), Lineage(source=BranchKey(source.branch), fork=fork, lsn=None, copy=None)


@pytest.fixture(scope="module")
def project(host: Host) -> Iterator[Project]:
    """One of this module's own: its branches go with it."""
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "restored"}}, status=201))
    yield made
    host.call("DELETE", made.path)


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{project.host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)


@pytest.fixture
def root(database: Database, owner: Session) -> Database:
    """What the branches are cloned from: a table with 10 rows, and the app's role."""
    run(owner, "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 10)")
    database.make_app(owner)
    return database


@pytest.fixture
def served(root: Database) -> Marked:
    return cloned(root, root.project.root)


def test_a_restore_to_a_moment_after_the_baseline_counts_what_came_before_it_and_after_it(served: Marked) -> None:
    served.write(1)
    moment = served.moment()
    served.write(20)
    served.restore(served.branch, moment)
    assert counted(served) == 1
    served.write(300)
    assert counted(served) == 301


def test_a_restore_to_before_the_mark_or_from_elsewhere_leaves_the_rows_unknown(root: Database, served: Marked) -> None:
    sibling = cloned(root, root.project.root)
    sibling.write(5)
    served.write(1)
    for source in (sibling.branch, root.project.root):
        served.restore(source, keep=False)
        served.write(1)
        assert "has no marker of this branch" in str(counted(served))
    early = cloned(root, root.project.root, marked=False)
    moment = early.moment()
    with early.session() as session:
        write_marker(session, RoleName(root.role), BranchMarker(BranchId(early.branch), early.state.baseline))
    early.write(1)
    assert counted(early) == 1
    early.restore(early.branch, moment)
    assert "has no marker of this branch" in str(counted(early))


@pytest.mark.parametrize("marked", [True, False])
def test_a_restore_from_a_descendant_counts_also_what_was_written_there_or_is_unknown(
    served: Marked, *, marked: bool
) -> None:
    served.write(1)
    child = served.child(marked=marked)
    child.write(20)
    served.restore(child.branch)
    served.write(300)
    # A descendant with credentials of its own has overwritten the mark, on the role that both have.
    assert counted(served) == 321 if not marked else "has no marker of this branch" in str(counted(served))


def test_a_restore_that_is_taken_back_counts_as_before(root: Database, served: Marked) -> None:
    served.write(7)
    served.restore(root.project.root)
    assert isinstance(counted(served), str)
    listed = root.project.host.call("GET", f"{root.project.path}/branches")["branches"]
    kept = max(listed, key=lambda branch: int(branch["name"][1:]) if branch["name"].startswith("n") else -1)
    served.restore(kept["id"], keep=False)
    assert counted(served) == 7


def test_another_baseline_than_the_database_says_is_not_believed_and_none_needs_no_mark(served: Marked) -> None:
    served.write(1)
    began = int(served.state.baseline)
    served.state = replace(served.state, baseline=Transaction(str(began + 1)))
    assert f"began with transaction {began} and not with {began + 1}" in str(counted(served))
    served.state = replace(served.state, baseline=EVERY_ROW)
    assert counted(served) == 11
    served.restore(served.database.project.root, keep=False)
    assert counted(served) == 10


def test_a_copy_counts_from_its_fork_until_one_of_the_two_is_restored(root: Database, served: Marked) -> None:
    served.write(1)
    moment = served.moment()
    with served.session() as session:  # the counter of a restored branch is far behind the fork
        for _ in range(50):
            run(session, "SELECT pg_current_xact_id()")
    copy, lineage = copy_of(served)
    assert counted(served, copy, lineage) == 0
    served.write(20)
    assert counted(served, copy, lineage) == 20
    served.restore(served.branch, moment)
    served.write(300)
    assert counted(served, copy, lineage) == 301, "none of the 300 is in the copy, though all are older than the fork"

    copy, lineage = copy_of(served)
    assert counted(served, copy, lineage) == 0
    copy.restore(served.branch, served.moment())
    assert counted(served, copy, lineage) == 301
    copy, lineage = copy_of(served)
    copy.restore(root.project.root, keep=False)
    assert counted(served, copy, lineage) == 301, "the copy has nothing of what it was once cloned from"


def test_a_copy_of_a_restored_branch_leaves_only_behind_what_came_since(root: Database, served: Marked) -> None:
    served.restore(root.project.root, keep=False)
    served.write(1)
    copy, lineage = copy_of(served)
    served.write(20)
    assert counted(served, copy, lineage) == 20


def test_a_copy_that_is_still_to_be_made_or_has_no_credentials_yet_counts_from_the_fork(served: Marked) -> None:
    served.write(1)
    made_now = Lineage(source=BranchKey(served.branch), fork=UNKNOWN, lsn=None, copy=None)
    assert counted(served, None, made_now, id=UNKNOWN) == 0
    copy, lineage = copy_of(served)
    served.write(20)
    assert counted(served, copy, lineage, baseline=UNKNOWN) == 20


def test_what_is_noted_of_a_deployment_makes_no_baseline_up(root: Database, served: Marked) -> None:
    def noted() -> BranchMarker | None:
        state = served.state
        NoteServed(pointer(at(state.address, state.role, state.baseline))).run()
        with served.session() as session:
            return read_marker(session, [RoleName(root.role)], BranchId(served.branch))

    deployment = DeploymentId(f"dpl_{served.branch}")
    assert noted() == BranchMarker(BranchId(served.branch), served.state.baseline, deployment)
    served.restore(root.project.root, keep=False)
    assert noted() == BranchMarker(BranchId(served.branch), EVERY_ROW, deployment)
    assert isinstance(counted(served), str)


def test_a_restore_during_the_count_is_no_count(served: Marked, monkeypatch: pytest.MonkeyPatch) -> None:
    def schemas(connection: Session) -> list[str]:
        served.restore(served.database.project.root, keep=False)
        return user_schemas(connection)

    monkeypatch.setattr("environments.database.rows.user_schemas", schemas)
    assert "could not be asked" in str(counted(served))


def test_rows_of_every_database_of_the_branch_count_and_one_that_is_not_read_makes_the_count_unsure(
    served: Marked, root: Database
) -> None:
    other = DatabaseName(f"{root.name}_reports")
    with served.session() as session:
        run(session, f'CREATE DATABASE "{other}"')
        uri = with_database(root.project.uri(served.branch, database=root.name), other)
        with psycopg.connect(uri, autocommit=True) as reports:
            run(reports, "CREATE TABLE events (n int); INSERT INTO events SELECT generate_series(1, 500)")
        served.write(2)
        assert counted(served) == 502
        copy, lineage = copy_of(served)
        assert counted(served, copy, lineage) == 0, "a clone has every database"
        filled = CopiedFrom(source_branch=BranchId(served.branch), seconds=1.0)
        assert counted(served, None, replace(lineage, copy=filled), id=UNKNOWN) == 500, "a dump has the app's alone"
        run(session, f'ALTER DATABASE "{other}" CONNECTION LIMIT 0')
        assert f"database {other} could not be opened" in str(counted(served))


def found(leaving: Marked, **changes: Any) -> dict[str, str]:
    """Return who else could write to the branch that is left, and how."""
    return {each.name: each.ways for each in find_other_writers(replace(leaving.state, **changes))}


def test_whoever_else_could_write_to_the_branch_that_is_left_is_found(served: Marked, root: Database) -> None:
    hand, other = f"{root.role}_hand", DatabaseName(f"{root.name}_other")
    project, api = root.project, f"{root.role}_api"
    roles = f"{project.path}/branches/{served.branch}/roles"
    assert found(served) == {}
    project.host.call("POST", roles, {"role": {"name": api}}, status=201)
    assert list(found(served)) == [api]
    assert found(served, shut_out=(RoleName(api),)) == {}, "nobody knows its password"
    project.host.call("DELETE", f"{roles}/{api}")
    with served.session() as session:
        run(session, f'CREATE ROLE "{hand}" LOGIN PASSWORD \'of the hand\'; GRANT USAGE ON SCHEMA public TO "{hand}"')
        run(session, f'GRANT INSERT ON t TO "{hand}"')
        assert found(served) == {hand: "a login that may write to public.t"}
        assert list(found(served, shut_out=(RoleName(hand),))) == [hand], "somebody opened it again"
        with root.app(RoleName(hand), "of the hand", served.branch):
            run(session, f'ALTER ROLE "{hand}" NOLOGIN')
            assert list(found(served)) == [hand], "its session lives"
        wait_until(lambda: found(served) == {})
        run(session, f'ALTER ROLE "{hand}" LOGIN')
        assert OWNER in found(served, keeps_logins=True), "its password is known to whoever had it before"
        assert found(served, claim=CLAIM) == {}, "on another stack's branch that is the other stack's business"
        write_marker(session, RoleName(hand), BranchMarker(BranchId(served.branch), Transaction("7"), None, CLAIM))
        assert "stack prod serves from" in found(served)[hand]
        run(session, f'REVOKE INSERT ON t FROM "{hand}"')
        run(session, f'CREATE DATABASE "{other}"')
        uri = with_database(root.project.uri(served.branch, database=root.name), other)
        with psycopg.connect(uri, autocommit=True) as elsewhere:
            run(elsewhere, f'CREATE TABLE events (n int); GRANT INSERT ON events TO "{root.role}"')
        assert list(found(served)) == [f"database {other}"]
        assert list(found(served, claim=CLAIM)) == [f"database {other}"], "the app's own login is not"


def test_a_branch_that_can_not_be_asked_is_refused_by_its_count_alone(served: Marked) -> None:
    address = replace(served.state.address, branch=BranchId("br-gone"))
    assert find_other_writers(replace(served.state, address=address)) == []
