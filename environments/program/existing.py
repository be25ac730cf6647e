"""What exists already is taken over and never created twice: the preview refuses to create it.

Only the engine knows what a stack's state holds, so these are hooks on its creates, which are few. A second branch of a
name would fail in the middle of an update, a second variable of a name after the cutover, and Neon makes a second
project of a name without a word. Where an update of this stack made the thing and didn't write it down, `environments
recover` takes it over; what was there before is for `environments adopt`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from environments.clients.comparing import comparing
from environments.clients.http import ApiError, ApiUnreachableError, NotFoundError
from environments.clients.neon import Neon
from environments.clients.vercel import Vercel, overlapping
from environments.errors import RefusedError
from environments.ids import BranchId, NeonProject, VercelProject
from environments.program import review
from environments.review.model import Refusal
from environments.review.telling import record


class ExistsError(RefusedError):
    """The update would create something that exists already."""


class Existing:
    """The stack's hooks: each refuses a create of what exists, with the command that takes it over."""

    def __init__(self) -> None:
        """Register them; a program can do that once."""
        self._stack = pulumi.get_stack()
        self.adopted_branch = _before_create("adopted-branch", self._adopted_branch)
        self.branch = _before_create("branch", self._branch)
        self.compute = _before_create("compute", self._compute)
        self.neon_project = _before_create("neon-project", self._neon_project)
        self.vercel_project = _before_create("vercel-project", self._vercel_project)
        self.variable = _before_create("variable", self._variable)

    def _adopted_branch(self, inputs: Mapping[str, Any]) -> str:
        return (
            f"the stack file adopts branch {inputs.get('name')}, but this stack's state doesn't hold it yet. Nothing "
            f"was changed. Run environments adopt -s {self._stack}, then come back"
        )

    def _branch(self, inputs: Mapping[str, Any]) -> str:
        project, name = inputs.get("projectId"), inputs.get("name")
        if not isinstance(project, str):
            return ""
        with Neon() as neon:
            found = next((each.id for each in neon.branches(NeonProject(project)) if each.name == name), None)
        return self._recover(f"Neon project {project} has a branch {name}", found)

    def _compute(self, inputs: Mapping[str, Any]) -> str:
        project, branch = inputs.get("projectId"), inputs.get("branchId")
        if not isinstance(project, str) or not isinstance(branch, str):
            return ""
        with Neon() as neon:
            computes = neon.endpoints(NeonProject(project), BranchId(branch))
        found = next((each.id for each in computes if each.type == inputs.get("type")), None)
        return self._recover(f"branch {branch} has a compute", found)

    def _neon_project(self, inputs: Mapping[str, Any]) -> str:
        name = inputs["name"]
        with Neon() as neon:
            found = next((each.id for each in neon.projects(name)), None)
        return self._recover(f"Neon has a project {name}", found)

    def _vercel_project(self, inputs: Mapping[str, Any]) -> str:
        name = inputs["name"]
        try:
            with Vercel() as vercel:
                found = vercel.project(name).id
        except NotFoundError:
            return ""
        return self._recover(f"Vercel has a project {name}", found)

    def _variable(self, inputs: Mapping[str, Any]) -> str:
        project, key = inputs.get("projectId"), inputs["key"]
        if not isinstance(project, str):
            return ""
        with Vercel() as vercel:
            found = overlapping(
                vercel.variables(VercelProject(project)),
                key=key,
                targets=inputs["targets"],
                git_branch=inputs.get("gitBranch") or "",
            )
        if not found:
            return ""
        return (
            f"the Vercel project has {key} already, for {', '.join(found[0].targets)}. If a pulumi up of this stack "
            f"failed or was cut short, run environments recover -s {self._stack}. Otherwise run environments adopt "
            f"-s {self._stack}: it takes the variable over, or says what is in the way. Then come back"
        )

    def _recover(self, has: str, found: str | None) -> str:
        if found is None:
            return ""
        return (
            f"{has} already, {found}. Nothing was changed. Run environments recover -s {self._stack}: it takes over "
            "what a pulumi up of this stack made before it failed or was cut short, or says what to do. Then come back"
        )


def _before_create(name: str, refusal: Callable[[Mapping[str, Any]], str]) -> pulumi.ResourceHookBinding:
    if comparing():
        return pulumi.ResourceHookBinding()
    hook = pulumi.ResourceHook(name, _recorded(refusal), pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook])


def _recorded(refusal: Callable[[Mapping[str, Any]], str]) -> Callable[[pulumi.ResourceHookArgs], None]:
    """Return the hook's callback: what `refusal` says of the inputs is shown by the engine, and is in the review too.

    An unknown input is missing: what a resource belongs to may be made in this very update. A cloud that doesn't answer
    is no reason to refuse: the create itself will tell.
    """

    def callback(args: pulumi.ResourceHookArgs) -> None:
        try:
            text = refusal(args.new_inputs or {})
        except (ApiError, ApiUnreachableError) as error:
            review.warn(f"nobody knows whether {args.name} exists already: {error}")
            return
        if text:
            record(Refusal(text=text, about=args.urn))
            raise ExistsError(text)

    return callback
