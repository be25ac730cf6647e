"""A branch filled from one in another Neon project, by dump and restore.

A branch can't leave its project, and a project's version of Postgres never changes: production reaches a newer one by
carrying its rows over. The dump is of one snapshot of the source, and every row of the copy is compared with it. The
note in the copy's database (see note.py) says with which transactions the two went separate ways.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from environments.clients.lazy_imports import psycopg, sql
from environments.clients.neon import Address, Neon, Role
from environments.clients.postgres import Connection, connected
from environments.database.copy.checksum import Contents, differences, first_few, read_contents
from environments.database.copy.dump import start_dump
from environments.database.copy.note import Copied, being_filled, note_copied, note_filling, read_note
from environments.database.copy.programs import LOCK_WAIT, SESSION, DumpError, Tools, find_tools, finish
from environments.database.copy.restore import restore
from environments.database.copy.roles_and_settings import carry_roles, carry_settings, obstacles, roles_of
from environments.database.provenance import baseline
from environments.database.rows import count_rows
from environments.database.schemas import user_schemas
from environments.errors import FailedError
from environments.ids import BranchId, RoleName, Transaction

_COUNT_SECONDS = 20.0
_END_SECONDS = 10.0
_PAUSE = 0.05

_SNAPSHOT = "SELECT pg_export_snapshot(), pg_snapshot_xmin(pg_current_snapshot())::text"
_TABLES = "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND {} LIMIT 3"
_OF_USERS = """c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY(%s))
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e')"""
_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND (usename = ANY(%s) OR application_name = %s)
"""


class CopyError(FailedError):
    """A database can't be carried over as it is."""


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


@dataclass(frozen=True)
class _Database:
    """One database: its URL for its owner, the id of its branch, and the branch's roles as Neon's API lists them."""

    branch: BranchId
    owner: RoleName
    roles: Sequence[Role]
    uri: str = field(repr=False)

    @classmethod
    def at(cls, neon: Neon, address: Address) -> Self:
        """Ask Neon for a database."""
        roles = neon.roles(address.project, address.branch)
        return cls(address.branch, address.owner, roles, neon.uri(address, pooled=False))


def carry_over(source: Address, target: Address) -> Filled:
    """Carry the database of `source` over to `target` and compare the two; what an earlier carrying over left goes.

    Raises CopyError or DumpError, with the source untouched, where something can't be carried, where `target` holds
    what this didn't put there or what was written to it since, and where the copy isn't the same.
    """
    with Neon() as neon:
        return _fill(_Database.at(neon, source), _Database.at(neon, target))


def was_cut_short(target: Address) -> bool:
    """Tell whether carrying a database over to `target` was cut short, which leaves it without its rows."""
    with Neon() as neon, connected(neon.uri(target, pooled=False)) as connection:
        return being_filled(connection, target.branch)


def copy_refusal(source: Connection, target: Connection | None, newest: int) -> str:
    """Return why the database of `source` can't be carried over to a server of version `newest`, or nothing."""
    major = source.info.server_version // 10_000
    if newest < major:
        return f"its Postgres is {major} and the other project's {newest}: rows go to the same or a newer version"
    try:
        find_tools(newest)
    except DumpError as error:
        return str(error)
    return "; ".join(obstacles(source, target))


def _fill(source: _Database, target: _Database) -> Filled:
    began = time.monotonic()
    with connected(source.uri) as reading, connected(target.uri) as owner:
        tools = _able(reading, owner)
        _refuse_to_destroy(owner, target, source)
        note_filling(owner, target.branch, source.branch)
        roles = sorted({*roles_of(reading, source.owner, source.roles), *roles_of(owner, target.owner, target.roles)})
        _empty(owner, target, roles)
        carry_roles(reading, owner, roles, target.owner)
        with tempfile.TemporaryDirectory(prefix="environments-") as folder:
            fork, held = _dump(tools, source, Path(folder) / "dump")
            restore(tools, target.uri, Path(folder) / "dump", target.owner)
        carry_settings(reading, target.uri, owner.info.dbname, [*roles, target.owner])
        with connected(target.uri) as comparing:
            if found := differences(held, read_contents(comparing)):
                raise CopyError(f"the copy differs from its source, so it may not serve: {first_few(found)}")
            comparing.execute("ANALYZE")
        copied = Copied(source=source.branch, fork=fork, begins=Transaction(baseline(owner)))
        note_copied(owner, target.branch, copied)
    return Filled(copied, len(held.tables), held.rows, time.monotonic() - began)


def _able(reading: Connection, owner: Connection) -> Tools:
    newest = owner.info.server_version // 10_000
    if why := copy_refusal(reading, owner, newest):
        raise CopyError(f"the database can't be carried over: {why}. Nothing was changed")
    return find_tools(newest)


@contextmanager
def _snapshot(uri: str) -> Iterator[tuple[Connection, str, Transaction]]:
    """Open a transaction that others can share, and return it with its name and the first transaction that it lacks."""
    with connected(uri) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute(_SNAPSHOT).fetchone()
        if row is None:
            raise AssertionError("a SELECT without FROM returns a row")
        yield connection, str(row[0]), Transaction(str(row[1]))


def _dump(tools: Tools, source: _Database, folder: Path) -> tuple[Transaction, Contents]:
    """Dump the source, and read every row of it meanwhile as of the same snapshot."""
    with _snapshot(source.uri) as (connection, name, fork):
        dumping = start_dump(tools, source.uri, name, folder)
        try:
            held = read_contents(connection)
            finish(dumping, "pg_dump")
        except psycopg.Error as error:
            reason = type(error).__name__
            raise CopyError(f"the rows of the source could not be read for the comparison: {reason}") from None
        finally:
            dumping.kill()
            dumping.wait()
    return fork, held


def _refuse_to_destroy(owner: Connection, target: _Database, source: _Database) -> None:
    """Raise CopyError if the target holds rows that no carrying over put there: it is emptied first."""
    if being_filled(owner, target.branch):
        return
    copied = read_note(owner, target.branch)
    if copied and copied.source == source.branch:
        count = count_rows(owner, int(copied.begins), _COUNT_SECONDS)
        owner.execute("RESET statement_timeout")
        if count.total or count.missing:
            raise CopyError(f"{count} were written to {target.branch} since it was filled, and would be lost")
        return
    query = sql.SQL(_TABLES).format(sql.SQL(_OF_USERS))
    if tables := [str(name) for (name,) in owner.execute(query, (user_schemas(owner),)).fetchall()]:
        raise CopyError(
            f"{target.branch} holds tables already ({', '.join(tables)}, …): only an empty branch can be filled"
        )


def _empty(owner: Connection, target: _Database, roles: list[RoleName]) -> None:
    """Drop all that the owner has in this database, once the sessions of those who could use it have ended.

    Among them may be those of a restore whose run was killed: it would go on beside this one.
    """
    deadline = time.monotonic() + _END_SECONDS
    while owner.execute(_SESSIONS, (roles, SESSION)).fetchall():
        if time.monotonic() > deadline:
            raise CopyError(f"sessions on {target.branch} did not end within {_END_SECONDS:.0f} s")
        time.sleep(_PAUSE)
    mine = sql.Identifier(target.owner)
    with owner.transaction():
        owner.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'".encode())
        owner.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(mine))
        # It also takes what the owner was granted on the database itself, and the memberships that the owner gave.
        owner.execute(sql.SQL("GRANT ALL ON DATABASE {} TO {}").format(sql.Identifier(owner.info.dbname), mine))
