"""Carrying the rows of one branch over to another once more, from where to where by their addresses."""

from __future__ import annotations

from environments.clients.neon import Address, Neon
from environments.clients.postgres import connected
from environments.database.copy.fill import Filled, Place, being_filled, fill


def carry_over(source: Address, target: Address) -> Filled:
    """Fill the branch of `target` once more from the one of `source`, which takes no more writes."""
    with Neon() as neon:
        places = [Place(neon.uri(each, pooled=False), each.branch, each.owner) for each in (source, target)]
    return fill(*places)


def was_cut_short(target: Address) -> bool:
    """Tell whether filling the branch of `target` was cut short, which leaves it without its rows."""
    with Neon() as neon, connected(neon.uri(target, pooled=False)) as connection:
        return being_filled(connection, target.branch)
