"""A branch's schema without its rows: as text, and as the content of a new root branch."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from localcloud.neon import catalog
from localcloud.neon.catalog import RESERVED_ROLES
from localcloud.neon.compute import Compute, ComputeError
from localcloud.neon.configuration import PORT, SUPERUSER
from localcloud.neon.installation import Installation

_ROLE_STATEMENT = re.compile(r"(?:CREATE|ALTER) ROLE \"?(?P<name>[^\" ;]+)")


async def dump(installation: Installation, sockets: Path, database: str) -> str:
    """The statements that make a database's schema."""
    return await _run(installation, "pg_dump", sockets, "--schema-only", f"--dbname={_named(database)}")


async def transfer(installation: Installation, source: Compute, target: Compute) -> None:
    """Give a pristine cluster the roles with their passwords, the databases and the schemas of another one."""
    async with catalog.connect(source.sockets) as connection:
        databases = (await catalog.read(connection)).databases
    async with catalog.connect(target.sockets) as connection:
        await catalog.empty(connection)
    roles = await _run(installation, "pg_dumpall", source.sockets, "--roles-only")
    await _apply(installation, target.sockets, "postgres", _own_roles_only(roles))
    for name, owner in databases.items():
        async with catalog.connect(target.sockets) as connection:
            await catalog.create_database(connection, name, owner)
        await _apply(installation, target.sockets, name, await dump(installation, source.sockets, name))


def _own_roles_only(script: str) -> str:
    """Without the roles that every cluster has."""
    lines = []
    for line in script.splitlines():
        found = _ROLE_STATEMENT.match(line)
        if found is None or found["name"] not in RESERVED_ROLES:
            lines.append(line)
    return "\n".join(lines)


async def _apply(installation: Installation, sockets: Path, database: str, script: str) -> None:
    arguments = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={_named(database)}")
    await _run(installation, "psql", sockets, *arguments, script=script)


async def _run(installation: Installation, program: str, sockets: Path, *arguments: str, script: str = "") -> str:
    """Run a client program as the control plane; statements go in and out through pipes only."""
    process = await asyncio.create_subprocess_exec(
        str(installation.bin / program),
        f"--host={sockets}",
        f"--port={PORT}",
        f"--username={SUPERUSER}",
        "--no-password",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"LANG": "C", "PGCLIENTENCODING": "UTF8"},
    )
    try:
        output, errors = await process.communicate(script.encode())
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        # The statement itself isn't shown: it may hold a verifier.
        reason = next((line for line in errors.decode().splitlines() if "error" in line.lower()), "no reason given")
        raise ComputeError(f"{program} ended with {process.returncode}: {reason}")
    return output.decode()


def _named(database: str) -> str:
    """As a connection string, since a bare name that looks like one would be taken for it."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"
