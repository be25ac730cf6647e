"""Whether somebody deleted an owned branch without the stack, so that the stack never makes it again by itself.

To a refresh the provider reports a deleted branch as absent, and the engine plans to create it once more: from its
source as it is today, without the rows that were written to it. So a refresh looks here, and `BranchSource`, which the
engine makes before the branch, refuses.

A name alone doesn't tell: a branch that was only renamed exists, and one whose creation failed never did. A refresh
notes the branch's id as soon as it sees it. Before that Neon's list of operations tells: it goes back to before the
branch was made, and names what was made since and no longer exists.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from environments.branches.source import Source
from environments.clients.http import NotFoundError
from environments.clients.neon import Branch, Neon
from environments.ids import BranchId, BranchKey, NeonProject


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the last refresh saw of a branch: its id, once it exists, and whether it was deleted since."""

    id: BranchId | None = None
    gone: bool = False


def still_there(project: NeonProject, branch: BranchId) -> Branch | None:
    """Return the branch if Neon has it; a project that is gone has taken its branches along."""
    try:
        with Neon() as neon:
            return neon.branch(project, branch)
    except NotFoundError:
        return None


def newest_operation(project: NeonProject) -> str:
    """Return the id of the last thing that Neon did in `project`; what follows it is newer than this moment."""
    with Neon() as neon:
        return next((found.id for found in neon.operations(project)), "")


def look(project: NeonProject, name: str, known: BranchId | None, operation: str) -> Seen:
    """Return what a refresh sees of the branch called `name`.

    `known` is its id where that is known, `operation` the newest one from before the branch was made, empty where that
    isn't known.
    """
    with Neon() as neon:
        names = {found.id: found.name for found in neon.branches(project)}
        id_ = known or next((each for each, found in names.items() if found == name), None)
        if id_:
            return Seen(id=id_, gone=id_ not in names)
        return Seen(gone=operation != "" and _made_since(neon, project, operation, names))


def deleted_refusal(key: BranchKey, source: Source, *, serves: bool) -> str:
    """Return why a branch that was deleted isn't made again; `serves` says that it is the one that is to serve."""
    adopted = source.kind == "adopted"
    at = f" as of {source.at}" if source.at else ""
    again = "nothing" if adopted else f"another copy of {source.branch} (stack {source.stack}){at}"
    lost = f"branch {key} is no longer in Neon, though this stack did not delete it"
    if not serves:
        return (
            f"{lost}. A new one would hold {again}, without the rows that were written to {key}: take its line out of "
            f"environments:branches, and for another branch add one with another name. Then: pulumi up --refresh"
        )
    return (
        f"{lost}, and it is the one that serves. It isn't made again, because it would hold {again}: the rows that "
        "users wrote to it would be missing. Take its line out of environments:branches and serve another branch: one "
        "that exists, such as the one that served before, or one that you add, from the branch and as of the moment "
        "(at) that hold most of those rows. Accept what is lost: "
        f'pulumi config set accept \'{{"branch": "{key}", "rows": "any"}}\'. Then: pulumi up --refresh'
    )


def _made_since(neon: Neon, project: NeonProject, operation: str, existing: Collection[BranchId]) -> bool:
    """Tell whether a branch was made after `operation` and isn't among those `existing`."""
    for found in neon.operations(project):
        if found.id == operation:
            return False
        if found.action == "create_branch" and found.branch_id not in existing:
            return True
    return False
