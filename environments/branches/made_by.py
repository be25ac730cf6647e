"""Whose a branch is: the environment that made it left its marker in the branch's database."""

from __future__ import annotations

from environments.clients.neon import Address, Neon
from environments.clients.postgres import connected
from environments.database.marker import read_markers
from environments.ids import RoleName


def marked_roles(neon: Neon, address: Address) -> frozenset[RoleName]:
    """Return the app roles whose marker is of this very branch; a copy's markers are of its source.

    Raises what `connected` and Neon's API raise if its database doesn't answer.
    """
    with connected(neon.uri(address, pooled=False)) as connection:
        return frozenset(read_markers(connection, address.branch))
