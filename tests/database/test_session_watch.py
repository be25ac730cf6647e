"""A session of the app's login is seen, however short it is and whoever holds it open; and no other one is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from environments.clients.postgres import connected
from environments.database.session_watch import SessionWatch, watching
from environments.errors import FailedError
from environments.ids import RoleName
from tests.resources.computes import Database, Session, run

pytestmark = pytest.mark.slow


@pytest.fixture
def app(database: Database, owner: Session) -> Database:
    """A database in which the app's login may read."""
    run(owner, "CREATE TABLE orders (id int)")
    database.make_app(owner)
    return database


@contextmanager
def watch(database: Database, role: RoleName | None = None) -> Iterator[SessionWatch]:
    with connected(database.project.uri(database=database.name)) as owner, watching(owner, role or database.role) as it:
        yield it


@pytest.mark.parametrize("ask", [lambda app: run(app, "SELECT 1"), lambda _app: None], ids=["a query", "connects only"])
def test_a_session_that_lives_for_one_request_is_seen_after_a_few_of_them(
    app: Database, ask: Callable[[Session], object]
) -> None:
    with watch(app) as seen:
        for _ in range(10):
            with app.app() as connection:
                ask(connection)
            if seen.saw(0.05):
                break
        else:
            pytest.fail("ten sessions, and none was seen")


def test_a_session_that_a_pool_lends_is_seen_by_what_it_does_and_not_by_being_there(app: Database) -> None:
    with app.app() as pooled:
        run(pooled, "SELECT 1")
        with watch(app) as seen:
            assert not seen.saw(0.6), "it does nothing"
            run(pooled, "SELECT 1")
            assert seen.saw(1)


def test_a_query_of_5_ms_in_a_session_that_was_there_is_seen_while_it_runs(app: Database) -> None:
    with app.app() as pooled, watch(app) as seen:
        later = threading.Timer(0.1, lambda: run(pooled, "SELECT pg_sleep(0.005)"))
        later.start()
        assert seen.saw(2)
        later.join()


def test_nobody_else_is_taken_for_the_app(app: Database, owner: Session) -> None:
    other = RoleName(f"{app.role}_other")
    app.make_app(owner, other)
    with watch(app) as seen, app.app(other) as theirs, app.owner() as another:
        run(theirs, "SELECT 1")
        run(another, "SELECT count(*) FROM orders")
        run(another, f"SET ROLE {app.role}")
        run(another, "SELECT count(*) FROM orders")
        assert not seen.saw(0.6)


def test_a_session_in_another_database_of_the_branch_is_none_in_this_one(app: Database) -> None:
    elsewhere = Database(app.project, app.name, app.role)
    with watch(app) as seen:
        url = psycopg.conninfo.make_conninfo(app.project.uri(database="neondb"), user=elsewhere.role, password="wrong")
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(url)
        assert not seen.saw(0.6)


def test_a_watch_that_lost_its_connection_says_so_and_never_that_there_was_no_session(
    app: Database, owner: Session
) -> None:
    with watch(app) as seen:
        run(
            owner,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%environments.since%' "
            "AND pid <> pg_backend_pid()",
        )
        with pytest.raises(FailedError, match="could not be watched: terminating connection"):
            seen.saw(5)


def test_a_watch_ends_with_its_block(app: Database) -> None:
    before = threading.active_count()
    with watch(app) as seen:
        assert threading.active_count() > before
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert threading.active_count() <= before
    assert not seen.saw(0)
