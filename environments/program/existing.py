"""What exists already is adopted and never created twice: the preview refuses to create it.

Only the engine knows what a stack's state holds, so these are hooks on its creates, which are few. A second branch of a
name would fail in the middle of an update, a second variable of a name after the cutover.
"""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from environments.clients.adopting import adopting
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.vercel import Vercel, overlapping
from environments.errors import RefusedError
from environments.ids import VercelProject
from environments.program import review
from environments.review.model import Refusal
from environments.review.telling import record


class ExistsError(RefusedError):
    """The update would create something that exists already."""


def adopted_branch(stack: str) -> pulumi.ResourceHookBinding:
    """Return the hook that refuses to create a branch that the stack file adopts."""

    def refuse(args: pulumi.ResourceHookArgs) -> None:
        name = (args.new_inputs or {}).get("name")
        raise ExistsError(
            f"the stack file adopts branch {name}, but this stack's state doesn't hold it yet. Nothing was changed. "
            f"Run environments adopt -s {stack}, then come back"
        )

    return _before_create("adopted-branch", refuse)


def variable(stack: str) -> pulumi.ResourceHookBinding:
    """Return the hook that refuses to create a variable that the Vercel project has already."""

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
            review.warn(f"nobody knows whether the Vercel project has {inputs['key']} already: {error}")
            return
        if found:
            raise ExistsError(
                f"the Vercel project has {inputs['key']} already, for {', '.join(found[0].targets)}. Run "
                f"environments adopt -s {stack}: it takes the variable over, or says what is in the way. Then come back"
            )

    return _before_create("variable", refuse)


def _before_create(name: str, refuse: Callable[[pulumi.ResourceHookArgs], None]) -> pulumi.ResourceHookBinding:
    if adopting():
        return pulumi.ResourceHookBinding()

    def recorded(args: pulumi.ResourceHookArgs) -> None:
        try:
            refuse(args)
        except ExistsError as error:
            record(Refusal(text=str(error), about=args.urn))
            raise

    hook = pulumi.ResourceHook(name, recorded, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook])
