"""What a stack may do to a branch of its own that another stack's environment serves from.

That stack's state can't be seen from here; its claim is on the branch itself (see environments/database/marker.py).
"""

from __future__ import annotations

from typing import Any

from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, connected
from environments.database.marker import Claim, read_claims
from environments.ids import BranchId, StackName


def lending_refusal(olds: dict[str, Any], news: dict[str, Any]) -> str:
    """Return why a branch may not become what `news` want, given an BranchSource's inputs, or nothing.

    Asks Neon only if the edit takes something away: its size, its protection, its name, or the branch itself.
    """
    was, now, key = olds["wanted"], news["wanted"], news["name"]
    ends = now["fate"] == "delete" != was["fate"]
    renamed = now["name"] != was["name"] != key
    shrinks = bool(Claim(StackName(""), *_size(was), was["protected"]).lacks(*_size(now), protected=now["protected"]))
    if not (ends or (olds["lends"] and (renamed or shrinks))):
        return ""
    found, copies = _branch(olds)
    if found is None:
        return ""
    if ends and copies:
        return f"{key} can't be retired: Neon keeps a branch as long as it has copies, here {', '.join(copies)}"
    try:
        claims = claims_on(olds, found)
    except UNREACHABLE as error:
        return f"whether another stack serves from {key} can't be told, so it stays as it is: {error}"
    refusals = (_claimed(key, claim, now, ends=ends, renamed=renamed) for claim in claims)
    return next((refusal for refusal in refusals if refusal), "")


def _claimed(key: str, claim: Claim, now: dict[str, Any], *, ends: bool, renamed: bool) -> str:
    """Return why `claim` on branch `key` doesn't let it become `now`, or nothing."""
    if ends or renamed:
        what = "retired" if ends else f"renamed to {now['name']}: it keeps the name that it got while it serves there"
        return f"{claim.stack} serves from {key}, so that it can't be {what}. Have {claim.stack} serve another first"
    lacks = claim.lacks(*_size(now), protected=now["protected"])
    if not lacks:
        return ""
    return (
        f"{claim.stack} serves from {key}, and this would leave it with {'; '.join(lacks)}. Write {claim.settings()} "
        f"at environments:branches.{key}, or have {claim.stack} serve another branch first"
    )


def _size(wanted: dict[str, Any]) -> tuple[float, float, int]:
    return float(wanted["min_cu"]), float(wanted["max_cu"]), int(wanted["suspend"])


def _branch(origin: dict[str, Any]) -> tuple[BranchId | None, list[str]]:
    """Return the branch's id, None if it isn't there, and the names of its copies."""
    with Neon() as neon:
        branches = neon.branches(origin["project"])
    found = next((branch.id for branch in branches if branch.name == origin["wanted"]["name"]), None)
    return found, sorted(branch.name for branch in branches if found and branch.parent_id == found)


def claims_on(props: dict[str, Any], branch: BranchId) -> list[Claim]:
    """Return the claims of other stacks on `branch`, where it has a compute to ask; `props` name project and database.

    Raises what `connected` and Neon's API raise if the compute doesn't answer.
    """
    project = props["project"]
    with Neon() as neon:
        for compute in neon.endpoints(project, branch):
            address = Address(project, branch, compute.id, props["database"], props["owner"])
            with connected(neon.uri(address, pooled=False)) as connection:
                return list(read_claims(connection, branch).values())
    return []
