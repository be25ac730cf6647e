"""Reaching a branch as its database's owner, and letting the app write to it or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, Connection, connected
from environments.cutover.other_writers import other_writers, writers_refusal
from environments.cutover.served import ServedBranch
from environments.cutover.sessions import sessions_on
from environments.database.databases import OtherDatabase
from environments.database.fence import FenceError, lift_fence, raise_fence
from environments.database.logins import existing
from environments.database.rows import RowCount
from environments.database.write_lock import WriteLock, write_lock
from environments.plan.topology import Guard


def owner_of(branch: ServedBranch) -> AbstractContextManager[Connection]:
    """Return a context in which one connection of the database's owner is open."""
    with Neon() as neon:
        uri = neon.uri(branch.address, pooled=False)
    return connected(uri)


@dataclass(frozen=True)
class WritesWaiting:
    """A lock on the branch that is left, and sessions in its other databases, where rows count as well."""

    lock: WriteLock
    others: Sequence[OtherDatabase]


@contextmanager
def writes_waiting(branch: ServedBranch, guard: Guard) -> Iterator[WritesWaiting]:
    """Open a lock under which the app's writes to the branch wait, to be taken; when the block ends they go on.

    Raises FenceError, before anybody waits, for another login that could write on after the move.
    """
    with sessions_on(branch) as sessions:
        found = other_writers(sessions, branch)
        if refusal := writers_refusal(found, guard.other_writers, branch.key):
            raise FenceError(refusal)
        roles = existing(sessions.main, list(branch.roles))
        with write_lock(sessions.uri, roles, guard.other_writers) as lock:
            yield WritesWaiting(lock, sessions.others)


def close_for_writes(owner: Connection, branch: ServedBranch, allowed: Sequence[str] | None) -> None:
    """Let the app, in whichever of its roles, write to the branch no more, at once and without a lock.

    Raises FenceError for a way to write that stays open and isn't `allowed`; None allows every one.
    """
    raise_fence(owner, existing(owner, list(branch.roles)), allowed)


def open_for_writes(owner: Connection, branch: ServedBranch) -> None:
    """Let the app write to the branch with the role that it uses."""
    lift_fence(owner, [branch.role], branch.address.database, branch.address.owner)


def is_reachable(branch: ServedBranch) -> bool:
    """Tell whether a branch takes a connection."""
    try:
        with owner_of(branch):
            return True
    except UNREACHABLE:
        return False


def only_there(count: RowCount) -> str:
    """Say how many rows only the branch holds that was left."""
    if count.missing:
        return f"At least {replace(count, missing='')} exist only there: {count.missing}."
    return f"{count} exist only there."
