"""A branch as a cutover knows it: what has to be known to reach it, fence it, and count the rows that are its own."""

from __future__ import annotations

from dataclasses import dataclass

from environments.clients.neon import Address
from environments.database.marker import Claim
from environments.ids import BranchKey, RoleName, Transaction


@dataclass(frozen=True, kw_only=True)
class ServedBranch:
    """A branch that serves, served, or is to serve.

    `role` is the one of the two `roles` with which the app connects. `claim` is what the environment needs of a branch
    that another stack owns, None on one of its own.
    """

    address: Address
    key: BranchKey
    role: RoleName
    roles: tuple[RoleName, RoleName]
    baseline: Transaction
    claim: Claim | None
