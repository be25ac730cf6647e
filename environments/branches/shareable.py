"""What a stack may do to a branch of its own that another stack's environment serves from.

This stack can't see the other one's state. The other one's claim is on the branch itself (see
environments/database/marker.py).
"""

from __future__ import annotations

from environments.branches.source import WantedBranch
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, connected
from environments.database.marker import Claim, read_claims
from environments.ids import BranchKey, DatabaseName, NeonProject, RoleName, StackName


def sharing_refusal(
    key: BranchKey,
    was: WantedBranch,
    now: WantedBranch,
    *,
    shareable: bool,
    project: NeonProject,
    database: DatabaseName,
    owner: RoleName,
) -> str:
    """Return why branch `key` may not become what `now` says, or nothing; `shareable` says that others are to serve it.

    Asks Neon only if the edit takes something away: its size, its protection, its name, or the branch itself. One that
    isn't shareable may shrink although it can't be asked who serves from it: production leaves a branch that is gone.
    """
    ends = now.deletion == "delete" != was.deletion
    renamed = now.name != was.name != key
    if not (ends or renamed or _shortfalls(_size_as_claim(was), now)):
        return ""
    with Neon() as neon:
        branches = neon.branches(project)
        found = next((branch.id for branch in branches if branch.name == was.name), None)
        if found is None:
            return ""
        if ends and (copies := sorted(branch.name for branch in branches if branch.parent_id == found)):
            return f"{key} can't be retired: Neon keeps a branch as long as it has copies, here {', '.join(copies)}"
        try:
            address = neon.address_of(project, found, database, owner)
            claims = claims_on(neon, address) if address else []  # nobody serves from a branch without a compute
        except UNREACHABLE as error:
            if not (ends or shareable):
                return ""
            return f"{key} stays as it is, because it can't be asked whether another stack serves from it: {error}"
    refusals = (_claim_refusal(key, claim, now, ends=ends, renamed=renamed) for claim in claims)
    return next((refusal for refusal in refusals if refusal), "")


def claims_on(neon: Neon, address: Address) -> list[Claim]:
    """Return the claims of other stacks on the branch at `address`.

    Raises what `connected` and Neon's API raise if its database doesn't answer.
    """
    with connected(neon.uri(address, pooled=False)) as connection:
        return list(read_claims(connection, address.branch).values())


def _claim_refusal(key: BranchKey, claim: Claim, now: WantedBranch, *, ends: bool, renamed: bool) -> str:
    """Return why `claim` on branch `key` doesn't let it become `now`, or nothing."""
    if ends or renamed:
        what = "retired" if ends else f"renamed to {now.name}: it keeps the name that it got while it serves there"
        return f"{claim.stack} serves from {key}, so that it can't be {what}. Have {claim.stack} serve another first"
    lacks = _shortfalls(claim, now)
    if not lacks:
        return ""
    return (
        f"{claim.stack} serves from {key}, and this would leave it with {'; '.join(lacks)}. Write {claim.settings()} "
        f"at environments:branches.{key}, or have {claim.stack} serve another branch first"
    )


def _shortfalls(claim: Claim, now: WantedBranch) -> list[str]:
    return claim.lacks(now.min_cu, now.max_cu, now.suspend_seconds, protected=now.protected)


def _size_as_claim(was: WantedBranch) -> Claim:
    """Return a claim on exactly what a branch had, which tells whether an edit takes any of it away."""
    return Claim(StackName(""), was.min_cu, was.max_cu, was.suspend_seconds, was.protected)
