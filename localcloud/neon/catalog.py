"""What the control plane says in SQL to a compute: roles, databases and their privileges.

Roles made here are members of `neon_superuser`, as on Neon; the only real superuser is the control plane's own. As on
Neon, there is a login of the platform's besides, `neon_service`, which the API doesn't list (nobody uses it here).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from localcloud.neon import scram
from localcloud.neon.configuration import PORT, SUPERUSER

Connection = psycopg.AsyncConnection[tuple[object, ...]]

PRISTINE_ROLE = "neondb_owner"
PRISTINE_DATABASE = "neondb"
RESERVED_ROLES = frozenset({SUPERUSER, "neon_superuser", "neon_service", "postgres", "public", "none"})
RESERVED_DATABASES = frozenset({"postgres", "template0", "template1"})

_CREATE_NEON_SUPERUSER: tuple[LiteralString, ...] = (
    """CREATE ROLE neon_superuser CREATEDB CREATEROLE REPLICATION BYPASSRLS NOLOGIN
    IN ROLE pg_read_all_data, pg_write_all_data""",
    "GRANT pg_monitor, pg_signal_backend TO neon_superuser WITH ADMIN OPTION",
)
_SINCE_16: LiteralString = "GRANT pg_create_subscription TO neon_superuser WITH ADMIN OPTION"
_MEMBER: LiteralString = "INHERIT CREATEROLE CREATEDB BYPASSRLS REPLICATION IN ROLE neon_superuser"


@dataclass(frozen=True)
class Contents:
    """The roles, and the databases with their owners, that a client may know of."""

    roles: frozenset[str]
    databases: dict[str, str]


@asynccontextmanager
async def connect(sockets: Path, database: str = "postgres") -> AsyncIterator[Connection]:
    """A session of the control plane's superuser, who is recognised by the process and needs no password."""
    connection = await psycopg.AsyncConnection.connect(
        host=str(sockets), port=PORT, user=SUPERUSER, dbname=database, autocommit=True, application_name="control_plane"
    )
    try:
        yield connection
    finally:
        await connection.close()


async def make_pristine(connection: Connection) -> None:
    """Turn a fresh cluster into what every project starts from."""
    for statement in _CREATE_NEON_SUPERUSER:
        await connection.execute(statement)
    if connection.info.server_version >= 160_000:
        await connection.execute(_SINCE_16)
    await connection.execute("CREATE ROLE neon_service LOGIN " + _MEMBER)
    await connection.execute(SQL("CREATE ROLE {} LOGIN " + _MEMBER).format(Identifier(PRISTINE_ROLE)))
    await connection.execute(
        SQL("CREATE DATABASE {} OWNER {}").format(Identifier(PRISTINE_DATABASE), Identifier(PRISTINE_ROLE))
    )


async def christen(connection: Connection, role: str, database: str, password: str) -> None:
    """Give a pristine cluster's role and database their names, and the role its password."""
    if role != PRISTINE_ROLE:
        await connection.execute(SQL("ALTER ROLE {} RENAME TO {}").format(Identifier(PRISTINE_ROLE), Identifier(role)))
    if database != PRISTINE_DATABASE:
        await connection.execute(
            SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(PRISTINE_DATABASE), Identifier(database))
        )
    await set_password(connection, role, password)


async def empty(connection: Connection) -> None:
    """Drop a pristine cluster's role and database."""
    await drop_database(connection, PRISTINE_DATABASE)
    await connection.execute(SQL("DROP ROLE {}").format(Identifier(PRISTINE_ROLE)))


async def read(connection: Connection) -> Contents:
    """The roles and databases that are there now."""
    roles = await connection.execute("SELECT rolname FROM pg_roles WHERE oid >= 16384 OR rolname = 'postgres'")
    names = {str(row[0]) for row in await roles.fetchall()} - RESERVED_ROLES
    databases = await connection.execute(
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate AND datallowconn"
    )
    found = {str(row[0]): str(row[1]) for row in await databases.fetchall()}
    return Contents(frozenset(names), {name: owner for name, owner in found.items() if name not in RESERVED_DATABASES})


async def log_position(connection: Connection) -> str:
    """The end of the write-ahead log that is safe on disk."""
    found = await connection.execute("SELECT pg_current_wal_flush_lsn()::text")
    row = await found.fetchone()
    assert row is not None
    return str(row[0])


async def create_role(connection: Connection, name: str, password: str | None) -> None:
    """A member of `neon_superuser`, who can log in if there is a password."""
    login = SQL("NOLOGIN ") if password is None else SQL("LOGIN ")
    await connection.execute(SQL("CREATE ROLE {} {}" + _MEMBER).format(Identifier(name), login))
    if password is not None:
        await set_password(connection, name, password)


async def set_password(connection: Connection, name: str, password: str | None) -> None:
    """Replace the password, or take it away."""
    value = Literal(None if password is None else scram.verifier(password))
    await connection.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(name), value))


async def has_password(connection: Connection, name: str, password: str) -> bool:
    """Whether this password is still the role's: SQL may have changed it."""
    found = await connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (name,))
    row = await found.fetchone()
    return row is not None and isinstance(row[0], str) and scram.matches(password, row[0])


async def drop_role(sockets: Path, connection: Connection, name: str, databases: dict[str, str]) -> None:
    """Drop the role; what it owns goes to the owner of the database where it lies, as on Neon."""
    for database, owner in databases.items():
        async with connect(sockets, database) as inside:
            await inside.execute(SQL("REASSIGN OWNED BY {} TO {}").format(Identifier(name), Identifier(owner)))
            await inside.execute(SQL("DROP OWNED BY {}").format(Identifier(name)))
    await connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))


async def create_database(connection: Connection, name: str, owner: str) -> None:
    """An empty database."""
    await connection.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(owner)))


async def alter_database(connection: Connection, name: str, new_name: str, owner: str) -> None:
    """Rename it, which ends its sessions, and give it to its owner."""
    if new_name != name:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        await connection.execute(SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(name), Identifier(new_name)))
    await connection.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(new_name), Identifier(owner)))


async def drop_database(connection: Connection, name: str) -> None:
    """Drop it, sessions included."""
    await connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
