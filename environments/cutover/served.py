"""A branch that serves, served, or is to serve, as a cutover knows it."""

from __future__ import annotations

from dataclasses import dataclass

from environments.clients.neon import Address
from environments.database.marker import Claim
from environments.ids import BranchKey, RoleName, Transaction


@dataclass(frozen=True, kw_only=True)
class ServedBranch:
    """Where its database is, how the stack file calls it, and the app's role there, one of the two `roles`.

    Rows count as users' from `baseline` on. `claim` is what the environment needs of a branch that another stack owns,
    None if the branch is the environment's own. `shut_out` are the logins that came along with a copy and were closed;
    `keeps_logins` says that those which were there before stay open, the owner's too (logins: keep).
    """

    address: Address
    key: BranchKey
    role: RoleName
    roles: tuple[RoleName, RoleName]
    baseline: Transaction
    claim: Claim | None
    keeps_logins: bool = False
    shut_out: tuple[RoleName, ...] = ()
