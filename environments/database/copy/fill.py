"""Filling a branch from one in another Neon project, by dump and restore, and the note that the copy bears of it.

A branch can't leave its project, and a project's version of Postgres never changes: a newer one is reached by carrying
the rows over. What is read is of one snapshot, and the copy is held against it row by row. The note, in the comment of
the copy's database, says with which transactions the two went separate ways.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from environments.clients.lazy_imports import psycopg, sql
from environments.clients.postgres import Connection, connected
from environments.database.copy.checksum import Contents, differences, read_contents, told
from environments.database.copy.dump import SESSION, DumpError, Tools, find_tools, finish, restore, start_dump
from environments.database.copy.roles_and_settings import carry_roles, carry_settings, obstacles, roles_of
from environments.database.provenance import baseline
from environments.database.rows import count_rows
from environments.database.schemas import user_schemas

_COUNT_SECONDS = 20.0
_LOCK_WAIT = "10s"
_END_SECONDS = 10.0
_PAUSE = 0.05

_NOTE = re.compile(
    r"environments: branch (?P<branch>\S+) is a copy of (?P<source>\S+), which went on from transaction (?P<fork>\d+); "
    r"its own begin with (?P<begins>\d+)"
)
_STARTED = re.compile(r"environments: branch (?P<branch>\S+) is being filled from (?P<source>\S+)")
_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
_TABLES = "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND {} LIMIT 3"
_OF_USERS = """c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY(%s))
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e')"""
_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND (usename = ANY(%s) OR application_name = %s)
"""


class TransferError(Exception):
    """A database can't be carried over as it is."""


@dataclass(frozen=True)
class Place:
    """One database: its URL for its owner, and the id of its branch."""

    uri: str = field(repr=False)
    branch: str
    owner: str


@dataclass(frozen=True)
class Copied:
    """Branch `source`'s oldest transaction that the copy could lack, and the first of the copy's own."""

    source: str
    fork: str
    begins: str


@dataclass(frozen=True)
class Filled:
    """A copy that was just made, and what it took."""

    copied: Copied
    tables: int
    rows: int
    seconds: float

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.rows:,} rows in {self.tables} tables, each compared with its source, in {self.seconds:.1f} s"


def read_note(connection: Connection, branch: str) -> Copied | None:
    """Return what the database of `branch` has noted of itself as a copy, or None if it is none."""
    found = _NOTE.fullmatch(_comment(connection))
    if found is None or found["branch"] != branch:
        return None
    return Copied(found["source"], found["fork"], found["begins"])


def being_filled(connection: Connection, branch: str) -> bool:
    """Tell whether the database of `branch` is being filled, or was when that was cut short."""
    started = _STARTED.fullmatch(_comment(connection))
    return started is not None and started["branch"] == branch


def fill(source: Place, target: Place) -> Filled:
    """Carry the database of `source` over to `target`, whatever an earlier filling put there, and compare the two.

    Raises TransferError or DumpError, with the source untouched, where something can't be carried, where `target`
    holds what this didn't put there or what was written to it since, and where the copy isn't the same.
    """
    began = time.monotonic()
    with connected(source.uri) as reading, connected(target.uri) as owner:
        tools = _able(reading, owner)
        _refuse_to_destroy(owner, target, source)
        _note(owner, f"environments: branch {target.branch} is being filled from {source.branch}")
        roles = sorted({*roles_of(reading, source.owner), *roles_of(owner, target.owner)})
        _empty(owner, target, roles)
        carry_roles(reading, owner, roles, target.owner)
        with tempfile.TemporaryDirectory(prefix="environments-") as folder:
            fork, held = _dump(tools, source, Path(folder) / "dump")
            restore(tools, target.uri, Path(folder) / "dump", target.owner)
        carry_settings(reading, target.uri, owner.info.dbname, [*roles, target.owner])
        with connected(target.uri) as comparing:
            if found := differences(held, read_contents(comparing)):
                raise TransferError(f"the copy differs from its source, so it may not serve: {told(found)}")
            comparing.execute("ANALYZE")
        copied = Copied(source.branch, fork, baseline(owner))
        _note(
            owner,
            f"environments: branch {target.branch} is a copy of {source.branch}, which went on from transaction "
            f"{copied.fork}; its own begin with {copied.begins}",
        )
    return Filled(copied, len(held.tables), held.rows, time.monotonic() - began)


def refusal(source: Connection, target: Connection | None, newest: int) -> str:
    """Return why the database of `source` can't be carried over to a server of version `newest`, or nothing."""
    major = source.info.server_version // 10_000
    if newest < major:
        return f"its Postgres is {major} and the other project's {newest}: rows go to the same or a newer version"
    try:
        find_tools(newest)
    except DumpError as error:
        return str(error)
    return "; ".join(obstacles(source, target))


def _able(reading: Connection, owner: Connection) -> Tools:
    newest = owner.info.server_version // 10_000
    if why := refusal(reading, owner, newest):
        raise TransferError(f"the database can't be carried over: {why}. Nothing was changed")
    return find_tools(newest)


@contextmanager
def _snapshot(uri: str) -> Iterator[tuple[Connection, str, str]]:
    """Open a transaction that others can share, and return it with its name and the first transaction that it lacks."""
    with connected(uri) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute(
            "SELECT pg_export_snapshot(), pg_snapshot_xmin(pg_current_snapshot())::text"
        ).fetchone()
        name, fork = row or ("", "")
        yield connection, str(name), str(fork)


def _dump(tools: Tools, source: Place, folder: Path) -> tuple[str, Contents]:
    """Dump the source, and read every row of it meanwhile as of the same snapshot."""
    with _snapshot(source.uri) as (connection, name, fork):
        dumping = start_dump(tools, source.uri, name, folder)
        try:
            held = read_contents(connection)
            finish(dumping, "pg_dump")
        except psycopg.Error as error:
            reason = type(error).__name__
            raise TransferError(f"the rows of the source could not be read for the comparison: {reason}") from None
        finally:
            dumping.kill()
            dumping.wait()
    return fork, held


def _refuse_to_destroy(owner: Connection, target: Place, source: Place) -> None:
    """Raise TransferError if the target holds rows that no filling put there: filling empties it first."""
    if being_filled(owner, target.branch):
        return
    copied = read_note(owner, target.branch)
    if copied and copied.source == source.branch:
        count = count_rows(owner, int(copied.begins), _COUNT_SECONDS)
        owner.execute("RESET statement_timeout")
        if count.total or count.missing:
            raise TransferError(f"{count} were written to {target.branch} since it was filled, and would be lost")
        return
    query = sql.SQL(_TABLES).format(sql.SQL(_OF_USERS))
    if tables := [str(name) for (name,) in owner.execute(query, (user_schemas(owner),)).fetchall()]:
        raise TransferError(
            f"{target.branch} holds tables already ({', '.join(tables)}, …): it is filled only if empty"
        )


def _empty(owner: Connection, target: Place, roles: list[str]) -> None:
    """Drop all that the owner has in this database, once the sessions of those who could use it have ended.

    Among them may be those of a restore whose run was killed: it would go on beside this one.
    """
    deadline = time.monotonic() + _END_SECONDS
    while owner.execute(_SESSIONS, (roles, SESSION)).fetchall():
        if time.monotonic() > deadline:
            raise TransferError(f"sessions on {target.branch} did not end within {_END_SECONDS:.0f} s")
        time.sleep(_PAUSE)
    mine = sql.Identifier(target.owner)
    with owner.transaction():
        owner.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'".encode())
        owner.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(mine))
        # It also takes what the owner was granted on the database itself, and the memberships that the owner gave.
        owner.execute(sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(sql.Identifier(owner.info.dbname), mine))


def _note(owner: Connection, text: str) -> None:
    database = sql.Identifier(owner.info.dbname)
    owner.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(text)))


def _comment(connection: Connection) -> str:
    row = connection.execute(_COMMENT).fetchone()
    return str(row[0] or "") if row else ""
