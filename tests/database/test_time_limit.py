"""Statements keep a time limit: the connection can still roll back afterwards, and one that stays silent is closed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from environments.clients.deadline import OutOfTimeError, TimeLimit
from environments.clients.postgres import connected
from environments.database.rows import count_rows
from tests.resources.computes import Database, Session, run

pytestmark = pytest.mark.slow

SAID = "writes paused for too long"


@pytest.fixture
def uri(database: Database) -> str:
    return database.project.uri(database=database.name)


def test_a_statement_ends_with_the_limit_and_its_transaction_rolls_back(uri: str, owner: Session) -> None:
    run(owner, "CREATE TABLE t (n int)")
    with connected(uri) as connection:
        with pytest.raises(OutOfTimeError, match=SAID), TimeLimit(0.5, SAID), connection.transaction():
            run(connection, "INSERT INTO t VALUES (1); SELECT pg_sleep(60)")
        connection.execute("INSERT INTO t VALUES (2)")
    assert run(owner, "SELECT n FROM t") == [(2,)]


def test_a_connection_that_is_opened_late_has_the_rest_of_the_time_at_the_server_as_well(uri: str) -> None:
    with TimeLimit(2, SAID), connected(uri) as connection:
        row = connection.execute("SELECT current_setting('statement_timeout')").fetchone()
    assert row is not None
    assert int(str(row[0]).removesuffix("ms")) < 2000


def test_a_network_that_goes_silent_holds_nobody(uri: str) -> None:
    with silenced(uri) as (through, silence), connected(through) as connection:
        connection.execute("SELECT 1")
        silence()
        began = time.monotonic()
        with pytest.raises(OutOfTimeError, match=SAID), TimeLimit(0.5, SAID), connection.transaction():
            connection.execute("SELECT 2")
        assert time.monotonic() - began < 4, "the limit, a second for BEGIN or its cancelling, and one to notice"
        assert connection.closed


@contextmanager
def silenced(uri: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """A way to a database that passes nothing on any more once it is told so; its URL, and how to tell it."""
    silent, url = threading.Event(), httpx.URL(uri)
    there = (url.host, url.port or 5432)

    def carry(source: socket.socket, target: socket.socket) -> None:
        with source, contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not silent.is_set():
                    target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                onward = socket.create_connection(there)
                for pair in ((client, onward), (onward, client)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        here = url.copy_with(port=server.getsockname()[1])
        yield str(here.copy_merge_params({"hostaddr": "127.0.0.1"})), silent.set
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def test_a_count_that_is_begun_late_takes_the_rest_of_the_time_alone(uri: str, owner: Session) -> None:
    run(owner, "CREATE TABLE t AS SELECT generate_series(1, 10) n")
    with connected(uri) as connection:
        with TimeLimit(5, SAID):
            assert count_rows(connection, 0, 20).total == 10
        with pytest.raises(OutOfTimeError, match=f"{SAID}: the rows"), TimeLimit(0, SAID):
            count_rows(connection, 0, 20)
