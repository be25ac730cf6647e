"""The owner's sessions on a branch: one in the app's database, and one in each other that the branch has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from environments.clients.neon import Neon
from environments.clients.postgres import Connection, connected
from environments.cutover.served import ServedBranch
from environments.database.databases import OtherDatabase, other_databases


@dataclass(frozen=True)
class Sessions:
    """`uri` is the owner's for the app's database, and holds a password."""

    uri: str
    main: Connection
    others: Sequence[OtherDatabase]


@contextmanager
def sessions_on(branch: ServedBranch) -> Iterator[Sessions]:
    """Open them for the time of the block. Raises one of UNREACHABLE for a branch that doesn't answer."""
    with Neon() as neon:
        uri = neon.uri(branch.address, pooled=False)
    with connected(uri) as main, other_databases(uri, main) as others:
        yield Sessions(uri, main, others)
