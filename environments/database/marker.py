"""The mark that a branch bears of itself, in the comment of the app's role: its id, its baseline, who serves from it.

It outlives a lost state: credentials that are made again on a branch with users' rows find the baseline from when the
branch was new. A copy bears the mark of what it was copied from, with another id, and so counts as new. Where another
stack's environment serves from the branch, the mark holds its claim: the stack that owns the branch can't see the
other's state, and must neither shrink nor drop what serves there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Self

from environments.clients.lazy_imports import sql
from environments.clients.postgres import Connection, connected, user_of
from environments.ids import DeploymentId, StackName

_MARK = re.compile(
    r"environments: branch (\S+) began with transaction (\d+)(?:, last served by (\S+))?"
    r"(?:, serves (\S+) with ([\d.]+) to ([\d.]+) CU, suspend (-?\d+)(, protected)?)?"
)
_COMMENTS = "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = ANY(%s) ORDER BY rolname"
_ALL_COMMENTS = "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles ORDER BY rolname"
NEVER = -1


@dataclass(frozen=True)
class Claim:
    """What `stack` needs of a branch that it serves from and doesn't own: CU, idle seconds (-1: never), protection."""

    stack: StackName
    min_cu: float
    max_cu: float
    suspend_seconds: int
    protected: bool

    @classmethod
    def of(cls, props: dict[str, Any]) -> Self:
        """Read it from a resource's inputs, where numbers arrive as floats."""
        sizes = float(props["min_cu"]), float(props["max_cu"])
        return cls(StackName(props["stack"]), *sizes, int(props["suspend"]), bool(props["protected"]))

    def lacks(self, min_cu: float, max_cu: float, suspend: int, *, protected: bool) -> list[str]:
        """Return what a compute of that size, on a branch so protected, has too little of, in words."""
        found = []
        if min_cu < self.min_cu:
            found.append(f"min_cu {min_cu:g}, needed at least {self.min_cu:g}")
        if max_cu < self.max_cu:
            found.append(f"max_cu {max_cu:g}, needed at least {self.max_cu:g}")
        if suspend != NEVER and (self.suspend_seconds == NEVER or suspend < self.suspend_seconds):
            needed = "never" if self.suspend_seconds == NEVER else f"not before {self.suspend_seconds} s"
            found.append(f"suspend {suspend} s, needed {needed}")
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
    """The transaction with which a branch began, the deployment that has served it last, and who claims it."""

    baseline: str
    served_by: str | None = None
    claim: Claim | None = None


def read_mark(connection: Connection, roles: list[str], branch: str) -> BranchMarker | None:
    """Return what `branch` has noted of itself on one of `roles`, or None if it is new."""
    for _, comment in connection.execute(_COMMENTS, (roles,)).fetchall():
        if mark := _read(comment, branch):
            return mark
    return None


def read_claims(connection: Connection, branch: str) -> dict[str, Claim]:
    """Return the claims on `branch`, by the role that bears each."""
    rows = connection.execute(_ALL_COMMENTS).fetchall()
    marks = {str(role): _read(comment, branch) for role, comment in rows}
    return {role: mark.claim for role, mark in marks.items() if mark and mark.claim}


def write_mark(connection: Connection, role: str, branch: str, mark: BranchMarker) -> None:
    """Note `mark` of `branch` on `role`."""
    served = f", last served by {mark.served_by}" if mark.served_by else ""
    text = f"environments: branch {branch} began with transaction {mark.baseline}{served}{_told(mark.claim)}"
    connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(role), sql.Literal(text)))


def last_served(url: str, branch: str) -> DeploymentId | None:
    """Return the deployment that served `branch` last with the login of `url`, as the branch itself has noted it.

    Raises NotReadyError if the branch takes no connection.
    """
    with connected(url) as connection:
        mark = read_mark(connection, [user_of(url)], branch)
    return DeploymentId(mark.served_by) if mark and mark.served_by else None


def drop_claim(connection: Connection, roles: list[str], branch: str) -> None:
    """Take back the claim on `branch` that `roles` bear."""
    for role, comment in connection.execute(_COMMENTS, (roles,)).fetchall():
        if (mark := _read(comment, branch)) and mark.claim:
            write_mark(connection, str(role), branch, replace(mark, claim=None))


def _read(comment: str | None, branch: str) -> BranchMarker | None:
    found = _MARK.fullmatch(comment or "")
    if not found or found[1] != branch:
        return None
    claim = found[4] and Claim(StackName(found[4]), float(found[5]), float(found[6]), int(found[7]), bool(found[8]))
    return BranchMarker(found[2], found[3], claim or None)


def _told(claim: Claim | None) -> str:
    if claim is None:
        return ""
    size = f"{claim.min_cu:g} to {claim.max_cu:g} CU, suspend {claim.suspend_seconds}"
    return f", serves {claim.stack} with {size}{', protected' if claim.protected else ''}"
