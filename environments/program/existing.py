"""What is there already is adopted and never made a second time: the preview refuses to create it.

Only the engine knows what a stack's state holds, so these are hooks on its creates, which are few. A second branch of a
name would fail in the middle of an update, a second variable of a name after the cutover.
"""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from environments.clients.adopting import adopting
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.vercel import Vercel, overlapping
from environments.ids import VercelProject


class AlreadyThereError(Exception):
    """Something is to be made that is there already."""


def adopted_branch(stack: str) -> pulumi.ResourceHookBinding:
    """Return the hook that refuses to make a branch that is to be adopted."""

    def refuse(args: pulumi.ResourceHookArgs) -> None:
        name = (args.new_inputs or {}).get("name")
        raise AlreadyThereError(
            f"branch {name} is to be adopted, and this stack's state doesn't hold it yet. Nothing was changed. Run "
            f"python -m adoption -s {stack}, then come back"
        )

    return _before_create("adopted-branch", refuse)


def variable(stack: str) -> pulumi.ResourceHookBinding:
    """Return the hook that refuses to make a variable that the Vercel project has already."""

    def refuse(args: pulumi.ResourceHookArgs) -> None:
        inputs = args.new_inputs or {}
        project = inputs.get("projectId")
        if not isinstance(project, str):
            return  # it is made in this very update
        try:
            with Vercel() as vercel:
                found = overlapping(
                    vercel.variables(VercelProject(project)),
                    key=inputs["key"],
                    targets=inputs["targets"],
                    git_branch=inputs.get("gitBranch") or "",
                )
        except (ApiError, ApiUnreachableError) as error:
            pulumi.log.warn(f"whether {inputs['key']} is in the Vercel project already can't be told: {error}")
            return
        if found:
            raise AlreadyThereError(
                f"{inputs['key']} is in the Vercel project already, for {', '.join(found[0].targets)}. Run "
                f"python -m adoption -s {stack}, which takes it over or says what is in the way, then come back"
            )

    return _before_create("variable", refuse)


def _before_create(name: str, refuse: Callable[[pulumi.ResourceHookArgs], None]) -> pulumi.ResourceHookBinding:
    if adopting():
        return pulumi.ResourceHookBinding()
    hook = pulumi.ResourceHook(name, refuse, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook])
