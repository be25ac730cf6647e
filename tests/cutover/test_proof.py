"""Success is proven on real branches: which database an app answers from, and what its login sees and may do there."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest

from environments import log
from environments.cutover import compare_rights
from environments.cutover import probe as probing
from environments.cutover.compare_rights import CompareRights, RightsLostError, previewed_rights
from environments.cutover.move import Move
from environments.cutover.pointer import HealthCheck, Pointer
from environments.cutover.probe import UnprovenError
from environments.cutover.promotion import Probe
from environments.cutover.writes import close_for_writes, open_for_writes
from environments.database.rights import Rights
from environments.ids import BranchKey, DeploymentId, EndpointId, RoleName, Transaction
from environments.props import UNKNOWN
from tests.clients.strangers import Conduct, answering, listening
from tests.cutover.pointers import GUARD, at, pointer
from tests.localcloud.neon.hosting import Host, Project
from tests.resources.clones import Clone, clone, connect_clients
from tests.resources.computes import OWNER, PASSWORD, Database, Session, run

pytestmark = pytest.mark.slow

Query = Callable[[], object]
HEALTHY = answering(body=b'{"ok": true}')


@pytest.fixture(scope="module")
def project(host: Host) -> Iterator[Project]:
    """One of this module's own: its branches go with it."""
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "proof"}}, status=201))
    yield made
    host.call("DELETE", made.path)


@pytest.fixture
def shop(database: Database, owner: Session, host: Host, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The branch that serves: five orders, and the app's login."""
    connect_clients(host, monkeypatch)
    run(owner, "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 5)")
    database.make_app(owner)
    return database


@pytest.fixture
def coming(shop: Database) -> Iterator[Clone]:
    """The branch that is to serve, a copy."""
    made = clone(shop)
    yield made
    made.delete()


def pointers(shop: Database, coming: Clone) -> tuple[Pointer, Pointer]:
    baseline = Transaction("3")
    was, now = at(shop.address, shop.role, baseline), at(coming.address, shop.role, baseline)
    return pointer(replace(was, key=BranchKey("prod-v1"))), pointer(replace(now, key=BranchKey("prod-v2")))


def move_of(shop: Database, coming: Clone, **guard: object) -> Move:
    old, new = pointers(shop, coming)
    new = replace(new, guard=replace(GUARD, **guard))  # type: ignore[arg-type]
    left = old.branch.made()
    return Move(new, left, newly=True, served_before=left)


# Which database the app uses


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_PATIENCE_UNSEEN", 3.0)
    monkeypatch.setattr(probing, "_PATIENCE", 3.0)


def answering_after(query: Query) -> Conduct:
    """Answer that all is well, after a query."""

    def conduct(connection: socket.socket) -> None:
        query()
        HEALTHY(connection)

    return conduct


def probed(move: Move, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(answering_after(query)) as address, move.open:
        monkeypatch.setenv("VERCEL_EDGE_URL", f"http://{address}")
        move.before = DeploymentId("another")
        Probe(move).run()


def connecting(shop: Database, branch: str | None, *, pooled: bool = False) -> Query:
    """An app that connects for each request, for 5 ms."""
    uri = psycopg.conninfo.make_conninfo(
        shop.project.uri(branch, database=shop.name, pooled=pooled), user=shop.role, password=PASSWORD
    )

    def query() -> None:
        with psycopg.connect(uri) as connection:
            connection.execute("SELECT pg_sleep(0.005), count(*) FROM orders")

    return query


@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "pooler"])
def test_an_app_that_connects_for_each_request_is_seen_on_its_branch(
    shop: Database, coming: Clone, monkeypatch: pytest.MonkeyPatch, *, pooled: bool
) -> None:
    probed(move_of(shop, coming), connecting(shop, coming.branch, pooled=pooled), monkeypatch)


def test_an_app_whose_pool_had_its_session_before_the_probe_is_seen_on_its_branch(
    shop: Database, coming: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.app(branch=coming.branch) as session:
        lock = threading.Lock()

        def query() -> None:
            with lock:
                run(session, "SELECT pg_sleep(0.005)")

        query()
        probed(move_of(shop, coming), query, monkeypatch)


def test_an_app_that_asks_its_database_only_now_and_then_is_asked_until_it_does(
    shop: Database, coming: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = itertools.count(1)
    ask = connecting(shop, coming.branch)
    probed(move_of(shop, coming), lambda: ask() if next(asked) % 3 == 0 else None, monkeypatch)
    assert next(asked) > 3


def test_an_app_that_reads_postgres_url_and_stays_on_the_branch_that_is_left_gets_no_domain(
    shop: Database, coming: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnprovenError) as refused:
        probed(move_of(shop, coming), connecting(shop, None), monkeypatch)
    said = str(refused.value)
    assert f"/health answers status 200, and no session of {shop.role} was seen on prod-v2 meanwhile" in said
    assert "Let the app connect with DATABASE_URL or DATABASE_URL_UNPOOLED" in said
    assert PASSWORD not in said


def test_an_app_that_is_on_the_right_branch_with_another_login_gets_no_domain(
    shop: Database, coming: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_owner() -> None:
        with coming.owner() as session:
            run(session, "SELECT count(*) FROM orders")

    with pytest.raises(UnprovenError):
        probed(move_of(shop, coming), as_owner, monkeypatch)


def test_a_health_check_that_asks_no_database_proves_nothing_unless_the_stack_file_says_that_it_asks_none(
    shop: Database, coming: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = move_of(shop, coming)
    with pytest.raises(UnprovenError, match=r"pulumi config set --path app\.health\.database false"):
        probed(move, lambda: None, monkeypatch)
    health = HealthCheck(path="/health", status=200, database=False)
    assert move.new.deployment
    unproven = replace(move.new, deployment=replace(move.new.deployment, health=health))
    probed(Move(unproven, move.leaving, newly=True), lambda: None, monkeypatch)


# What its login sees and may do there


def compare(move: Move) -> list[str]:
    with log.collected() as said, move.open:
        open_for_writes(move.owner(), move.branch)
        CompareRights(move).run()
    return said


def test_a_copy_with_the_same_rights_passes_also_back_to_a_branch_that_is_read_only(
    shop: Database, coming: Clone, owner: Session
) -> None:
    move = move_of(shop, coming)
    with coming.owner() as there:
        close_for_writes(there, move.branch, ())
    assert previewed_rights(move.left, move.new) == ((), ())
    close_for_writes(owner, move.left, ())
    assert compare(move) == []


ROW_LEVEL_SECURITY = (
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON orders USING (current_user = 'somebody')"
)


def test_rows_that_the_owner_sees_and_row_level_security_hides_from_the_app_refuse_the_move_and_its_preview(
    shop: Database, coming: Clone
) -> None:
    with coming.owner() as there:
        run(there, ROW_LEVEL_SECURITY)
        assert run(there, "SELECT count(*) FROM orders") == [(5,)]
    with shop.app(branch=coming.branch) as app:
        assert run(app, "SELECT count(*) FROM orders") == [(0,)]
    move = move_of(shop, coming)
    said = (
        rf"^the app could see or do less on prod-v2 than before\. {shop.role} on prod-v2 sees none of the rows of "
        rf"public\.orders \(row-level security hides them\); {shop.role} on prod-v1 sees them; as its owner {OWNER}, "
        r"make a policy .* If the app can do without: safety\.fewer_rights: \[public\.orders\]$"
    )
    with pytest.raises(RightsLostError, match=said):
        compare(move)
    lost, _ = previewed_rights(move.left, move.new)
    assert [loss.name for loss in lost] == ["public.orders"]
    accepted = move_of(shop, coming, fewer_rights=("public.orders",))
    (told,) = compare(accepted)
    assert told.endswith("(safety.fewer_rights allows it)")
    assert previewed_rights(accepted.left, accepted.new) == ((), (told,))


def test_a_first_cutover_is_refused_for_what_the_owner_sees_and_the_app_does_not(shop: Database, coming: Clone) -> None:
    with coming.owner() as there:
        run(there, ROW_LEVEL_SECURITY)
    first = replace(move_of(shop, coming), leaving=None, served_before=None)
    with pytest.raises(RightsLostError, match=rf"sees none of the rows of public\.orders.*the owner {OWNER} sees them"):
        compare(first)


def test_tables_and_schemas_of_another_owner_are_no_longer_permission_denied_after_the_promotion(
    shop: Database, coming: Clone
) -> None:
    keeper = f"{shop.role}_keeper"
    with coming.owner() as there:
        run(there, f"CREATE ROLE {keeper}; GRANT {keeper} TO {OWNER} WITH INHERIT FALSE")
        run(there, f"GRANT CREATE ON DATABASE {shop.name} TO {keeper}; GRANT CREATE ON SCHEMA public TO {keeper}")
        run(there, f"SET ROLE {keeper}; CREATE TABLE ledger (id int); CREATE SCHEMA audit; CREATE TABLE audit.log ()")
    with pytest.raises(RightsLostError) as refused:
        compare(move_of(shop, coming))
    with shop.app(branch=coming.branch) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(app, "SELECT FROM ledger")
    said = str(refused.value)
    assert f"as its owner {keeper}, run GRANT USAGE ON SCHEMA audit TO {shop.role}" in said
    assert f"run GRANT SELECT, INSERT, UPDATE, DELETE ON public.ledger TO {shop.role}" in said
    assert said.endswith("safety.fewer_rights: [audit, public.ledger]")


def test_a_membership_given_by_hand_that_the_new_login_lacks_refuses_a_move_and_a_rotation(
    shop: Database, coming: Clone, owner: Session
) -> None:
    tenant, second = RoleName(f"{shop.role}_tenant"), RoleName(f"{shop.role}_2")
    run(owner, f"CREATE ROLE {tenant}; GRANT {tenant} TO {shop.role}")
    with pytest.raises(RightsLostError, match=rf"can't SET ROLE {tenant}, which {shop.role} on prod-v1 can"):
        compare(move_of(shop, coming))
    shop.make_app(owner, second)
    old, _ = pointers(shop, coming)
    rotated = replace(old, branch=replace(old.branch, role=second))
    rotation = Move(rotated, None, newly=False, served_before=old.branch.made())
    with pytest.raises(RightsLostError, match=rf"{second} on prod-v1 can't SET ROLE {tenant}"):
        compare(rotation)
    run(owner, f"GRANT {tenant} TO {second}")
    assert compare(Move(rotated, None, newly=False, served_before=old.branch.made())) == []


def test_a_branch_out_of_reach_or_a_login_that_is_gone_leaves_the_owner_to_compare_with(
    shop: Database, coming: Clone
) -> None:
    move = move_of(shop, coming)
    gone = replace(move.left, address=replace(move.left.address, endpoint=EndpointId("ep-gone-1")))
    (said,) = compare(replace(move, served_before=gone, open=ExitStack()))
    assert "prod-v1 could not be asked what its login may do" in said
    assert "the owner is compared instead" in said
    never = replace(move_of(shop, coming).left, role=RoleName("app_never"))
    assert compare(replace(move_of(shop, coming), served_before=never, open=ExitStack())) == []


def test_a_database_that_answers_too_late_is_told_in_the_preview_and_never_passes_the_step(
    shop: Database, coming: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object, **__: object) -> Rights:
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")

    monkeypatch.setattr(compare_rights, "read_rights", late)
    move = move_of(shop, coming)
    lost, (note,) = previewed_rights(move.left, move.new)
    assert lost == ()
    assert note.startswith("prod-v2 could not be asked what its login may do: canceling statement")
    with pytest.raises(psycopg.errors.QueryCanceled):
        compare(move)


def test_a_preview_of_a_branch_that_is_not_made_asks_nobody_and_a_login_that_is_not_made_refuses_nothing(
    shop: Database, coming: Clone
) -> None:
    move = move_of(shop, coming)
    unmade = replace(move.new, branch=replace(move.new.branch, id=UNKNOWN, endpoint=UNKNOWN, baseline=UNKNOWN))
    assert previewed_rights(move.left, unmade) == ((), ())
    with coming.owner() as there:
        run(there, f"CREATE ROLE {shop.role}_keeper; GRANT {shop.role}_keeper TO {OWNER} WITH INHERIT FALSE")
        run(there, f"GRANT CREATE ON SCHEMA public TO {shop.role}_keeper; SET ROLE {shop.role}_keeper")
        run(there, "CREATE TABLE ledger (id int)")
    login = replace(move.new, branch=replace(move.new.branch, role=RoleName("app_prod_8")))
    lost, notes = previewed_rights(move.left, login)
    assert lost == ()
    assert [note for note in notes if "app_prod_8 on prod-v2 can't SELECT" in note]
