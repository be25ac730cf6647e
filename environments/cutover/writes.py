"""Reaching a branch as its database's owner, and letting the app write to it or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, Connection, connected
from environments.cutover.served import ServedBranch
from environments.database.fence import lift_fence, raise_fence
from environments.database.logins import existing
from environments.database.rows import RowCount
from environments.database.write_lock import WriteLock, write_lock


def owner_of(branch: ServedBranch) -> AbstractContextManager[Connection]:
    """Return a context in which one connection of the database's owner is open."""
    with Neon() as neon:
        uri = neon.uri(branch.address, pooled=False)
    return connected(uri)


@contextmanager
def writes_waiting(branch: ServedBranch) -> Iterator[WriteLock]:
    """Open a lock under which the app's writes to the branch wait, to be taken; when the block ends they go on."""
    with owner_of(branch) as owner:
        roles = existing(owner, list(branch.roles))
    with Neon() as neon:
        uris = [neon.uri(branch.address, pooled=False)]  # one for each database that the app uses
    with write_lock(uris, roles) as lock:
        yield lock


def close_for_writes(owner: Connection, branch: ServedBranch) -> None:
    """Let the app, in whichever of its roles, write to the branch no more, at once and without a lock."""
    raise_fence(owner, existing(owner, list(branch.roles)))


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
