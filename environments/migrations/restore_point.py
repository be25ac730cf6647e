"""The restore point: a branch of production from right before a migration, without a compute, that ends by itself.

It keeps the rows as they were for longer than Neon's history does. While the history lasts, the LSN that is noted along
with it is the shorter way back: a branch `from` the served one `at` that LSN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from environments.clients.http import ApiError
from environments.clients.neon import Address, Branch, Neon
from environments.clients.postgres import Connection
from environments.ids import BranchId, BranchKey, Lsn, NeonProject, Transaction
from environments.migrations.rehearsal.scratch_branch import expiry

_LONGEST_TAG = 80
_TRIES = 20
_OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"


@dataclass(frozen=True)
class RestorePoint:
    """The branch, and the moment that it shows: its LSN on the served branch, the oldest transaction that it may miss.

    `xmin` is empty for one that was found after a crash.
    """

    id: BranchId
    name: str
    expires_at: str
    lsn: Lsn
    xmin: Transaction

    def way_back(self, served: BranchKey) -> str:
        """Return the edit of the stack file that goes back to it; `served` is the migrated branch.

        It reaches as far back as Neon's history does; later the branch itself holds the rows.
        """
        restored = f"{served}-restored"
        source = f'{{from: {{branch: {served}}}, at: "{self.lsn}"}}'
        return f"add {restored}: {source} to branches, serve it, and take the migration out of the folder"


def make_restore_point(neon: Neon, connection: Connection, served: Address, tag: str, days: int) -> RestorePoint:
    """Make the branch `before-<tag>` of the branch of `served`, to which `connection` is.

    One of the same name that an earlier run of the same migration left is replaced: rows were written after it. It
    stays, and the next free name is taken, where it belongs to another branch or can't be deleted.
    """
    name = _free_name(neon, served, _name(tag))
    row = connection.execute(_OLDEST).fetchone()
    wanted = {"name": name, "parent_id": served.branch, "expires_at": expiry(timedelta(days=days))}
    made, _ = neon.make_branch(served.project, wanted)
    return _restore_point(neon.branch(served.project, made.id), Transaction(str(row[0]) if row else ""))


def find_restore_point(neon: Neon, served: Address, tags: Sequence[str]) -> RestorePoint | None:
    """Return the newest one that was made of the branch of `served` before one of the migrations `tags`."""
    names = [_name(tag) for tag in tags]
    found = [
        branch
        for branch in neon.branches(served.project)
        if _is_ours(branch, served) and any(_is_called(branch.name, name) for name in names)
    ]
    newest = max(found, key=lambda branch: branch.created_at, default=None)
    return _restore_point(newest, Transaction("")) if newest else None


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of the migrated branch: its id, None if it isn't made yet, and as of when it is, in seconds or an LSN."""

    id: BranchId | None = None
    at: str = ""


def first_undone(neon: Neon, project: NeonProject, migrated: BranchId, copy: Copy, tags: Sequence[str]) -> str:
    """Return the first of `tags` that ran on the branch `migrated` after the moment of its `copy`; or nothing.

    The restore points show that, as long as they exist. The copy may be one of them.
    """
    found = []
    for branch in neon.branches(project):
        if branch.parent_id != migrated or not (branch.id == copy.id or _is_after(branch, copy.at)):
            continue
        tag = next((tag for tag in tags if _is_called(branch.name, _name(tag))), "")
        found += [(branch.created_at, tag)] if tag else []
    return min(found)[1] if found else ""


def _is_after(point: Branch, at: str) -> bool:
    """Tell whether a restore point shows its parent as of the moment `at` or later."""
    if not (at and point.expires_at):
        return False
    if "/" in at:
        return bool(point.parent_lsn) and _position(point.parent_lsn) >= _position(at)
    return point.created_at.timestamp() >= int(at)


def _position(lsn: str) -> int:
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


def _restore_point(branch: Branch, xmin: Transaction) -> RestorePoint:
    return RestorePoint(id=branch.id, name=branch.name, expires_at=branch.expires_at, lsn=branch.parent_lsn, xmin=xmin)


def _name(tag: str) -> str:
    return f"before-{tag[:_LONGEST_TAG]}"


def _is_ours(branch: Branch, served: Address) -> bool:
    return branch.parent_id == served.branch and bool(branch.expires_at)


def _is_called(name: str, wanted: str) -> bool:
    rest = name.removeprefix(wanted)
    return name.startswith(wanted) and (not rest or (rest[0] == "-" and rest[1:].isdecimal()))


def _free_name(neon: Neon, served: Address, wanted: str) -> str:
    taken = {branch.name: branch for branch in neon.branches(served.project)}
    for number in range(1, _TRIES):
        name = wanted if number == 1 else f"{wanted}-{number}"
        found = taken.get(name)
        if found is None:
            return name
        if _is_ours(found, served):
            try:
                neon.delete_branch(served.project, found.id)
            except ApiError:
                continue
            return name
    raise ApiError("Neon", "the restore point", 409, "", f"{_TRIES} branches are called {wanted}: delete some of them")
