"""The end of a rotation: the login that was in use before is closed, once nothing that serves uses it."""

from __future__ import annotations

import time

from resources.app_role import forbid_login
from resources.postgres import Connection

_PATIENCE = 5.0
_PAUSE = 0.1

_IDLE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND state = 'idle'"
_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


def existing(connection: Connection, roles: list[str]) -> list[str]:
    """Return those of `roles` that are there."""
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) ORDER BY rolname", (roles,))
    return [str(name) for (name,) in rows.fetchall()]


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


def _sessions(connection: Connection, role: str) -> bool:
    row = connection.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = %s)", (role,)).fetchone()
    return bool(row and row[0])
