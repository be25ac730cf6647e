"""What a branch's database says of itself: the comment of the app's role holds the branch's id and its baseline.

It outlives a lost state: a login that is made again on a branch with users' rows finds the baseline from when the
branch was new. A copy has the marker of its source, which names another branch, and so counts as new. If another
stack's environment serves from the branch, the marker holds its claim: the stack that owns the branch can't see the
other one's state, and must neither shrink nor drop what serves there.

The comment is JSON with a version: `{"environments": 1, "branch": …}`. Other comments are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection, connected, user_of
from environments.errors import RefusedError, StateError
from environments.ids import BranchId, DeploymentId, RoleName, StackName, Transaction
from environments.props import decode, encode

VERSION: Final = 1
_VERSION_KEY: Final = "environments"
NEVER: Final = -1
"""Idle seconds of a compute that never suspends."""

_COMMENTS = "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = ANY(%s) ORDER BY rolname"
_ALL_COMMENTS = "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles ORDER BY rolname"


class ClaimedError(RefusedError):
    """Another stack's environment serves from this branch."""


@dataclass(frozen=True)
class Claim:
    """What `stack` needs of a branch that it serves from and doesn't own: CU, idle seconds (-1: never), protection."""

    stack: StackName
    min_cu: float
    max_cu: float
    suspend_seconds: int
    protected: bool

    def lacks(self, min_cu: float, max_cu: float, suspend_seconds: int, *, protected: bool) -> list[str]:
        """Return what a compute of that size, on a branch so protected, has too little of, in words."""
        found = []
        if min_cu < self.min_cu:
            found.append(f"min_cu {min_cu:g}, needed at least {self.min_cu:g}")
        if max_cu < self.max_cu:
            found.append(f"max_cu {max_cu:g}, needed at least {self.max_cu:g}")
        never = self.suspend_seconds == NEVER
        if suspend_seconds != NEVER and (never or suspend_seconds < self.suspend_seconds):
            needed = "never" if never else f"not before {self.suspend_seconds} s"
            found.append(f"suspend {suspend_seconds} s, needed {needed}")
        if self.protected and not protected:
            found.append("no protection in Neon, needed since safety.protected is on")
        return found

    def settings(self) -> str:
        """Return what a stack file says of a branch that has what is needed."""
        idle = "never" if self.suspend_seconds == NEVER else self.suspend_seconds
        compute = f"compute: {{min_cu: {self.min_cu:g}, max_cu: {self.max_cu:g}, suspend: {idle}}}"
        return f"{compute}, protected: true" if self.protected else compute


@dataclass(frozen=True)
class BranchMarker:
    """The transaction with which `branch` began, the deployment that served it last, and who claims it."""

    branch: BranchId
    baseline: Transaction
    served_by: DeploymentId | None = None
    claim: Claim | None = None


def read_marker(connection: Connection, roles: Sequence[RoleName], branch: BranchId) -> BranchMarker | None:
    """Return the marker of `branch` that one of `roles` has, or None if the branch is new.

    Raises StateError for a marker that a newer version of this library wrote.
    """
    for _, comment in connection.execute(_COMMENTS, (list(roles),)).fetchall():
        if marker := _read(comment, branch):
            return marker
    return None


def last_served(url: str, branch: BranchId) -> DeploymentId | None:
    """Return the deployment that served `branch` last with the login of `url`, as the branch itself has noted it.

    Raises NotReadyError if the branch takes no connection.
    """
    with connected(url) as connection:
        marker = read_marker(connection, [RoleName(user_of(url))], branch)
    return marker.served_by if marker else None


def read_markers(connection: Connection, branch: BranchId) -> dict[RoleName, BranchMarker]:
    """Return the markers of `branch`, by the role that has each. Raises StateError as `read_marker` does."""
    rows = connection.execute(_ALL_COMMENTS).fetchall()
    markers = {RoleName(role): _read(comment, branch) for role, comment in rows}
    return {role: marker for role, marker in markers.items() if marker}


def read_claims(connection: Connection, branch: BranchId) -> dict[RoleName, Claim]:
    """Return the claims on `branch`, by the role whose marker holds each. Raises StateError as `read_marker` does."""
    return {role: marker.claim for role, marker in read_markers(connection, branch).items() if marker.claim}


def write_marker(connection: Connection, role: RoleName, marker: BranchMarker) -> None:
    """Write `marker` as the comment of `role`."""
    text = json.dumps({_VERSION_KEY: VERSION, **encode(marker)})
    connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(role), sql.Literal(text)))


def drop_claim(connection: Connection, roles: Sequence[RoleName], branch: BranchId) -> None:
    """Take back the claim on `branch` that the markers of `roles` hold."""
    for role, comment in connection.execute(_COMMENTS, (list(roles),)).fetchall():
        if (marker := _read(comment, branch)) and marker.claim:
            write_marker(connection, RoleName(role), replace(marker, claim=None))


def _read(comment: str | None, branch: BranchId) -> BranchMarker | None:
    """Return the marker of `branch` that a comment is, None for a comment of anything else."""
    values = _values(comment or "")
    if not values or values.get("branch") != branch:
        return None
    return decode(BranchMarker, values, "the marker's ")


def _values(comment: str) -> dict[str, Any]:
    """Return the values of a marker, {} for a comment that is none."""
    try:
        values = json.loads(comment)
    except ValueError:
        return {}
    version = values.get(_VERSION_KEY) if isinstance(values, dict) else None
    if not isinstance(version, int) or version < VERSION:
        return {}
    if version > VERSION:
        raise StateError(
            f"the branch's database has a marker of a newer version of environments (marker {version}, this one reads "
            f"up to {VERSION}): install that version, then come back"
        )
    return dict(values)
