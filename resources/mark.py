"""The mark that a branch bears of itself: its id and its baseline, in the comment of the app's role.

It outlives a lost state: credentials that are made again on a branch with users' rows find the baseline from when the
branch was new. A copy bears the mark of what it was copied from, with another id, and so counts as new.
"""

from __future__ import annotations

import re

from resources.deferred import sql
from resources.postgres import Connection

_MARK = re.compile(r"environments: branch (\S+) began with transaction (\d+)")
_COMMENTS = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = ANY(%s)"


def read_mark(connection: Connection, roles: list[str], branch: str) -> str | None:
    """Return the baseline that `branch` has noted on one of `roles`, or None if it is new."""
    for (comment,) in connection.execute(_COMMENTS, (roles,)).fetchall():
        if (found := _MARK.fullmatch(comment or "")) and found[1] == branch:
            return found[2]
    return None


def write_mark(connection: Connection, role: str, branch: str, baseline: str) -> None:
    """Note on `role` that `branch` began with the transaction `baseline`."""
    text = f"environments: branch {branch} began with transaction {baseline}"
    connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(role), sql.Literal(text)))
