"""Writers at full speed: each way in which an app can write, with a note of every write that was acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg

from tests.localcloud.neon.hosting import wait_until
from tests.resources.computes import Database, Session, run

SCHEMA = """
CREATE TABLE written (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE source AS SELECT generate_series(1, 400000) AS n;
INSERT INTO written SELECT -n FROM generate_series(1, 50) AS n;
CREATE FUNCTION write_one(bigint) RETURNS void LANGUAGE plpgsql
    AS 'BEGIN INSERT INTO written VALUES ($1); PERFORM pg_sleep(0.005); END';
"""

INSERT = "INSERT INTO written VALUES (%s)"


@dataclass
class Writer:
    """One connection that writes until it is told to stop, and opens another one when it is ended."""

    kind: str
    number: int
    sent: list[int] = field(default_factory=list)
    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    updates: int = 0
    denied: int = 0

    def next_id(self) -> int:
        """An id that no other writer uses."""
        self.sent.append(self.number * 10_000_000 + len(self.sent))
        return self.sent[-1]

    def done(self, *ids: int) -> None:
        """The commit of these rows was acknowledged just now."""
        now = time.monotonic()
        self.acknowledged += [(id_, now) for id_ in ids]


def autocommit(connection: Session, writer: Writer) -> None:
    connection.execute(INSERT, (id_ := writer.next_id(),))
    writer.done(id_)


def transaction(connection: Session, writer: Writer) -> None:
    """Two rows with an idle gap between them and before the commit."""
    first, second = writer.next_id(), writer.next_id()
    with connection.transaction():
        connection.execute(INSERT, (first,))
        time.sleep(0.01)
        connection.execute(INSERT, (second,))
        time.sleep(0.01)
    writer.done(first, second)


def one_write_then_idle(connection: Session, writer: Writer) -> None:
    """Nothing but the commit is left to do: no check of a privilege would stop that."""
    id_ = writer.next_id()
    with connection.transaction():
        connection.execute(INSERT, (id_,))
        time.sleep(0.3)
    writer.done(id_)


def prepared(connection: Session, writer: Writer) -> None:
    connection.execute(INSERT, (id_ := writer.next_id(),), prepare=True)
    writer.done(id_)


def copied(connection: Session, writer: Writer) -> None:
    ids = [writer.next_id() for _ in range(20)]
    with connection.transaction(), connection.cursor().copy("COPY written (id) FROM STDIN") as copy:
        for id_ in ids:
            copy.write_row((id_,))
            time.sleep(0.002)
    writer.done(*ids)


def long_statement(connection: Session, writer: Writer) -> None:
    """One statement that runs for seconds; the row that tells of it comes last."""
    id_ = writer.next_id()
    connection.execute(
        "INSERT INTO written SELECT CASE WHEN n = 400000 THEN %s ELSE -1000000000 - random() * 8e18::bigint END"
        " FROM source ON CONFLICT DO NOTHING",
        (id_,),
    )
    writer.done(id_)


def lock_then_update(connection: Session, writer: Writer) -> None:
    with connection.transaction():
        row = connection.execute(
            "SELECT id FROM written WHERE id BETWEEN -50 AND -1 ORDER BY random() LIMIT 1 FOR UPDATE"
        ).fetchone()
        assert row is not None
        time.sleep(0.005)
        connection.execute("UPDATE written SET n = n + 1 WHERE id = %s", row)
    writer.updates += 1


def function(connection: Session, writer: Writer) -> None:
    connection.execute("SELECT write_one(%s)", (id_ := writer.next_id(),))
    writer.done(id_)


def cursor(connection: Session, writer: Writer) -> None:
    """Rows that come out of a cursor while others go in."""
    ids = [writer.next_id() for _ in range(3)]
    with connection.transaction():
        run(connection, "DECLARE c CURSOR FOR SELECT n FROM source")
        for id_ in ids:
            run(connection, "FETCH 10 FROM c")
            connection.execute(INSERT, (id_,))
    writer.done(*ids)


Kind = Callable[[Session, Writer], None]

KINDS: list[Kind] = [
    autocommit,
    transaction,
    one_write_then_idle,
    prepared,
    copied,
    long_statement,
    lock_then_update,
    function,
    cursor,
]


@dataclass
class Load:
    """All that go on at the same time."""

    database: Database
    writers: list[Writer]
    stopped: threading.Event = field(default_factory=threading.Event)
    reads: int = 0
    failed_reads: list[str] = field(default_factory=list)

    def write(self, kind: Kind, writer: Writer) -> None:
        """Write on one connection after the other; one that the fence ends isn't the last."""
        while not self.stopped.is_set():
            with suppress(psycopg.OperationalError), self.database.app() as connection:
                while not self.stopped.is_set():
                    try:
                        kind(connection, writer)
                    except psycopg.errors.InsufficientPrivilege:
                        writer.denied += 1
                        time.sleep(0.002)

    def read(self, read: Callable[[Session], None]) -> None:
        """Read on one connection that nothing may end."""
        try:
            with self.database.app() as connection:
                while not self.stopped.is_set():
                    read(connection)
                    self.reads += 1
        except psycopg.Error as error:
            self.failed_reads.append(repr(error))


def read_once(connection: Session) -> None:
    run(connection, "SELECT n FROM written LIMIT 1")


def read_twice(connection: Session) -> None:
    with connection.transaction():
        run(connection, "SELECT count(*) FROM written WHERE id > 0")
        time.sleep(0.02)
        run(connection, "SELECT max(n) FROM written")


@contextmanager
def under_load(database: Database, kinds: list[Kind]) -> Iterator[Load]:
    """A writer of each kind, and two readers, until the block ends."""
    load = Load(database, [Writer(kind.__name__, number) for number, kind in enumerate(kinds, 1)])
    threads = [threading.Thread(target=load.write, args=pair) for pair in zip(kinds, load.writers, strict=True)]
    threads += [threading.Thread(target=load.read, args=(read,)) for read in (read_once, read_twice)]
    for thread in threads:
        thread.start()
    try:
        quick = [writer for writer in load.writers if writer.kind != "long_statement"]
        wait_until(lambda: all(writer.acknowledged or writer.updates for writer in quick), 20)
        yield load
    finally:
        load.stopped.set()
        for thread in threads:
            thread.join(30)
