"""Logins that nothing serves with any more: waiting for what is under way, and closing the last generation's."""

from __future__ import annotations

import time

from environments.clients.postgres import Connection
from environments.database.app_role import forbid_login

_PATIENCE = 5.0
_PAUSE = 0.1

_IDLE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND state = 'idle'"
_AT_WORK = "SELECT 1 FROM pg_stat_activity WHERE usename = ANY(%s) AND state <> 'idle' LIMIT 1"
_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


def existing(connection: Connection, roles: list[str]) -> list[str]:
    """Return those of `roles` that are there."""
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) ORDER BY rolname", (roles,))
    return [str(name) for (name,) in rows.fetchall()]


def may_log_in(connection: Connection, role: str) -> bool:
    """Tell whether `role` is there and open: a login that no cutover has closed yet."""
    row = connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    return bool(row and row[0])


def close_login(connection: Connection, role: str) -> None:
    """Let `role` log in no more and end its sessions; what is running gets 5 s to come to its end."""
    if not existing(connection, [role]):
        return
    forbid_login(connection, role)
    deadline = time.monotonic() + _PATIENCE
    while _sessions(connection, role) and time.monotonic() < deadline:
        connection.execute(_IDLE, (role,))
        time.sleep(_PAUSE)
    connection.execute(_ALL, (role,))


def drain(connection: Connection, roles: list[str]) -> None:
    """Wait until no session of `roles` is at work, for at most 5 s: requests that began before the domain moved."""
    deadline = time.monotonic() + _PATIENCE
    while connection.execute(_AT_WORK, (roles,)).fetchone() and time.monotonic() < deadline:
        time.sleep(_PAUSE)


def _sessions(connection: Connection, role: str) -> bool:
    row = connection.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = %s)", (role,)).fetchone()
    return bool(row and row[0])
