"""A branch that is neither retired nor released is kept: the engine asks the program before it deletes any of it.

This guard stands beside those in our own resources (`Inventory` and `AppLogin`), for a branch whose login isn't in the
state: the branch and its compute are the provider's. The engine runs it in a preview too. `pulumi destroy` without
`--run-program` can't run it, so that the engine refuses and prints the hook's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pulumi

from environments.branches.deleted import still_there
from environments.branches.dropped import KeptError, kept_refusal
from environments.clients.comparing import comparing
from environments.ids import BranchId, BranchKey, NeonProject

HOOK: Final = "keep-a-branch-that-is-neither-retired-nor-released"


def kept_branch() -> pulumi.ResourceHookBinding:
    """Return the hook that refuses to delete anything of a branch that Neon has."""
    if comparing():
        return pulumi.ResourceHookBinding()

    def refuse(args: pulumi.ResourceHookArgs) -> None:
        project, branch = _place(args.id, args.old_inputs or {})
        if still_there(project, branch):
            raise KeptError(kept_refusal(BranchKey(args.name)))  # all that is made of a branch bears its key

    hook = pulumi.ResourceHook(HOOK, refuse, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_delete=[hook])


def _place(id_: str, inputs: Mapping[str, Any]) -> tuple[NeonProject, BranchId]:
    """Return the Neon project and the branch of a login, of a compute, or of the branch itself."""
    if address := inputs.get("address"):
        return NeonProject(address["project"]), BranchId(address["branch"])
    return NeonProject(inputs["projectId"]), BranchId(inputs.get("branchId") or id_)
