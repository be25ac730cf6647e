"""The mark that a branch bears of itself, in the comment of the app's role: its id, its baseline, what served it last.

It outlives a lost state: credentials that are made again on a branch with users' rows find the baseline from when the
branch was new. A copy bears the mark of what it was copied from, with another id, and so counts as new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from resources.deferred import sql
from resources.postgres import Connection

_MARK = re.compile(r"environments: branch (\S+) began with transaction (\d+)(?:, last served by (\S+))?")
_COMMENTS = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = ANY(%s)"


@dataclass(frozen=True)
class Mark:
    """The transaction with which a branch began, and the deployment that has served it last, if one has."""

    baseline: str
    served_by: str | None = None


def read_mark(connection: Connection, roles: list[str], branch: str) -> Mark | None:
    """Return what `branch` has noted of itself on one of `roles`, or None if it is new."""
    for (comment,) in connection.execute(_COMMENTS, (roles,)).fetchall():
        if (found := _MARK.fullmatch(comment or "")) and found[1] == branch:
            return Mark(found[2], found[3])
    return None


def write_mark(connection: Connection, role: str, branch: str, mark: Mark) -> None:
    """Note `mark` of `branch` on `role`."""
    served = f", last served by {mark.served_by}" if mark.served_by else ""
    text = f"environments: branch {branch} began with transaction {mark.baseline}{served}"
    connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(role), sql.Literal(text)))
