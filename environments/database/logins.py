"""Logins that nothing should use: those of the last generation, and those that came along with a copy."""

from __future__ import annotations

import time
from collections.abc import Sequence

from environments.clients.http import NotFoundError
from environments.clients.lazy_imports import psycopg
from environments.clients.neon import Address, Neon
from environments.clients.postgres import Connection, connected
from environments.database.app_role import forbid_login, other_logins
from environments.database.marker import read_claims
from environments.database.platform_roles import platform_roles
from environments.errors import FailedError
from environments.ids import RoleName


class OpenLoginError(FailedError):
    """A login that came along with a copy stays open."""


_PATIENCE = 5.0
_PAUSE = 0.1

_UNALTERABLE = """
SELECT rolname FROM pg_roles r
WHERE rolname = ANY(%s) AND CASE WHEN current_setting('server_version_num')::int < 160000 THEN rolreplication
                                 ELSE NOT pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') END
"""
_IDLE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND state = 'idle'"
_AT_WORK = "SELECT 1 FROM pg_stat_activity WHERE usename = ANY(%s) AND state <> 'idle' LIMIT 1"
_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


def existing(connection: Connection, roles: Sequence[RoleName]) -> list[RoleName]:
    """Return those of `roles` that exist."""
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) ORDER BY rolname", (list(roles),))
    return [RoleName(name) for (name,) in rows.fetchall()]


def closed_by_password(connection: Connection, roles: Sequence[RoleName]) -> set[RoleName]:
    """Return those of `roles` that the owner of `connection` can't alter: only a new password shuts these out.

    Neon's control plane, a superuser, made them. The others are closed by NOLOGIN, so one that may log in was opened.
    """
    return {RoleName(str(name)) for (name,) in connection.execute(_UNALTERABLE, (list(roles),)).fetchall()}


def may_log_in(connection: Connection, role: RoleName) -> bool:
    """Tell whether `role` exists and is open: a login that no cutover has closed yet."""
    row = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    return bool(row and row[0])


def close_login(connection: Connection, role: RoleName) -> None:
    """Let `role` log in no more and end its sessions; what is running has 5 s to finish."""
    if not existing(connection, [role]):
        return
    forbid_login(connection, role)
    deadline = time.monotonic() + _PATIENCE
    while _sessions(connection, role) and time.monotonic() < deadline:
        connection.execute(_IDLE, (role,))
        time.sleep(_PAUSE)
    connection.execute(_ALL, (role,))


def shut_out_others(neon: Neon, address: Address, role: RoleName) -> tuple[RoleName, ...]:
    """Reset the owner's password, and close every login that came along with a copy; `role` is the app's own.

    Each one is closed by SQL, or by a password that nobody knows. A login with a claim on the branch stays: another
    stack's environment serves with it. So do those of the platform. Returns the logins that were closed; raises
    OpenLoginError if one can't be.
    """
    neon.reset_password(address.project, address.branch, address.owner)
    listed = neon.roles(address.project, address.branch)
    with connected(neon.uri(address, pooled=False)) as connection:
        known = {address.owner, role, *read_claims(connection, address.branch), *platform_roles(connection, listed)}
        names = other_logins(connection, known)
        for name in names:
            try:
                forbid_login(connection, name)
            except psycopg.errors.InsufficientPrivilege:
                _change_password(neon, address, name)
    return tuple(names)


def _change_password(neon: Neon, address: Address, name: RoleName) -> None:
    """Give a login a password that nobody knows."""
    try:
        neon.reset_password(address.project, address.branch, name)
    except NotFoundError:
        raise OpenLoginError(
            f"{name} can log in to {address.branch}, and neither {address.owner} nor Neon's API can close it: as the "
            f"role that made it, run ALTER ROLE {name} NOLOGIN on the branch that it came from"
        ) from None


def drain(connection: Connection, roles: Sequence[RoleName]) -> None:
    """Wait until no session of `roles` is at work, for at most 5 s: requests that began before the domain moved."""
    deadline = time.monotonic() + _PATIENCE
    while connection.execute(_AT_WORK, (list(roles),)).fetchone() and time.monotonic() < deadline:
        time.sleep(_PAUSE)


def _sessions(connection: Connection, role: RoleName) -> bool:
    row = connection.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = %s)", (role,)).fetchone()
    return bool(row and row[0])
