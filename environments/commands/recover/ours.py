"""Whether something that exists is what this stack made and didn't write down: told by when it was made and by marks.

A branch with the marker of this environment in its database is this stack's, whenever it was made. Everything else is,
if it was made while an update of this stack ran without success: nothing carries a mark from its first moment on. What
was there before, another environment's branch, and a copy of another branch are somebody else's, and are never taken
over here: adoption is for that, and a person decides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from environments.branches.made_by import marked_roles
from environments.clients import neon, providers, vercel
from environments.clients.postgres import UNREACHABLE
from environments.clients.pulumi import Resource, Urn
from environments.commands.comparison.candidates import Candidate, Clouds, variable_in_the_way
from environments.commands.recover.attempts import Attempts
from environments.ids import BranchId, DatabaseName, NeonProject, RoleName, StackName
from environments.props import Unknown


@dataclass(frozen=True)
class Judgement:
    """What becomes of the candidates for one create.

    `ours` is taken over. `spare` are projects that the same updates made besides, empty ones that nothing uses.
    `refusal` says why nothing is taken over, although there is something.
    """

    ours: Candidate | None = None
    spare: tuple[Candidate, ...] = ()
    refusal: str = ""


@dataclass(frozen=True)
class Judge:
    """Decides for one stack: `resources` are those of its state and those that it would create."""

    stack: StackName
    clouds: Clouds
    attempts: Attempts
    resources: Sequence[Resource]
    _marked: set[str] = field(default_factory=set)
    """The branches that bear this environment's marker."""

    def decide(self, found: tuple[Candidate, ...]) -> Judgement:
        """Return which of the candidates for one create, at least one, is this stack's."""
        thing = found[0].thing
        match thing:
            case neon.Project():
                return self._project(found)
            case vercel.Project():
                return self._hosted(found[0], thing)
            case neon.Branch():
                return self._branch(found[0], thing)
            case neon.Endpoint():
                return self._compute(found[0])
            case vercel.Variable():
                return self._variable(found)

    def spare_projects(self) -> list[Candidate]:
        """Return the empty Neon projects that updates without success made besides the one that is in the state."""
        return [
            candidate
            for resource in self.resources
            if resource.token == providers.NEON_PROJECT and resource.id
            for project in self.clouds.neon.projects(resource.inputs(providers.ProjectInputs).name)
            if project.id != resource.id and self._fresh(candidate := Candidate(resource, "", project))
        ]

    def _project(self, found: tuple[Candidate, ...]) -> Judgement:
        """Take the oldest one that is empty and was made in time: which of several it is makes no difference."""
        fresh = sorted(filter(self._fresh, found), key=lambda one: one.created_at)
        if fresh:
            return Judgement(fresh[0], tuple(fresh[1:]))
        one = found[0]
        remedy = (
            f"To use it, name the ids of both projects in place of the name: project: {{neon: {one.id}, vercel: …}}. "
            "For a new project give project.name another value"
        )
        if self._in_time(one):
            reason = f"{one} exists as {one.id}, and has branches besides the one that Neon makes: something uses it"
            return Judgement(refusal=f"{reason}. {remedy}")
        return Judgement(refusal=f"{_not_made(one)}. {remedy}")

    def _fresh(self, one: Candidate) -> bool:
        """Tell whether a Neon project was made in time and has no branch but its first."""
        return self._in_time(one) and len(self.clouds.neon.branches(NeonProject(one.id))) <= 1

    def _hosted(self, one: Candidate, project: vercel.Project) -> Judgement:
        remedy = (
            f"To use it, name the ids of both projects in place of the name: project: {{neon: …, vercel: {one.id}}}. "
            "For a new project give project.name another value"
        )
        if not self._in_time(one):
            return Judgement(refusal=f"{_not_made(one)}. {remedy}")
        if project.production or self.clouds.vercel.variables(project.id):
            return Judgement(
                refusal=f"{one} exists as {one.id}, and has deployments or variables: something uses it. {remedy}"
            )
        return Judgement(one)

    def _branch(self, one: Candidate, branch: neon.Branch) -> Judgement:
        wanted = one.create.inputs(providers.BranchInputs)
        if wanted.parent_id is None:
            adopt = f"run environments adopt -s {self.stack}"
            return Judgement(refusal=f"the stack file adopts branch {branch.name}: {adopt}")
        foreign = self._foreign(one, branch, wanted.parent_id)
        if not foreign:
            return Judgement(one)
        return Judgement(
            refusal=f"{foreign}. Give the branch in the stack file another key, or rename or delete {branch.id} in "
            "Neon's console. To take it over with its rows, write adopt: true in place of from at "
            f"environments:branches.{one.create.name}, and run environments adopt -s {self.stack}"
        )

    def _foreign(self, one: Candidate, branch: neon.Branch, parent: BranchId | Unknown) -> str:
        """Return why a branch of the wanted name isn't the one that this stack made, or nothing if it is."""
        exists = f"{one} exists as {branch.id}"
        if not isinstance(parent, Unknown) and parent != branch.parent_id:
            of = f"a copy of {branch.parent_id}" if branch.parent_id else "no copy of any branch"
            return f"{exists}, which is {of}: this stack wants a copy of {parent}"
        try:
            marked = self._marks(one, branch)
        except UNREACHABLE as error:
            return f"{exists}, whose database doesn't say which environment made it: {error}. Run this again"
        if marked & self._roles(one.create.parent):
            self._marked.add(branch.id)
            return ""
        if marked:
            others = ", ".join(sorted(marked))
            return f"{exists}, which another environment made or serves from: it has the login {others}"
        return "" if self._in_time(one) else _not_made(one)

    def _marks(self, one: Candidate, branch: neon.Branch) -> frozenset[RoleName]:
        """Return the roles whose marker the branch bears; none while it has no compute that could be asked."""
        sources = self._beside(one.create.parent, providers.BRANCH_SOURCE)
        if not sources:
            return frozenset()
        inputs = sources[0].inputs(providers.BranchSourceInputs)
        clouds, project = self.clouds.neon, NeonProject(one.project)
        address = clouds.address_of(project, branch.id, DatabaseName(inputs.database), RoleName(inputs.owner))
        return marked_roles(clouds, address) if address else frozenset()

    def _roles(self, component: Urn) -> frozenset[RoleName]:
        logins = self._beside(component, providers.APP_LOGIN)
        return frozenset(logins[0].inputs(providers.AppLoginInputs).roles) if logins else frozenset()

    def _beside(self, component: Urn, token: str) -> list[Resource]:
        return [each for each in self.resources if each.parent == component and each.token == token]

    def _compute(self, one: Candidate) -> Judgement:
        branch = one.thing.branch_id if isinstance(one.thing, neon.Endpoint) else BranchId("")
        if branch in self._marked or self._in_time(one):
            return Judgement(one)
        remedy = (
            f"To use it, run environments adopt -s {self.stack}. Otherwise delete it in Neon's console: pulumi up then "
            "makes one"
        )
        return Judgement(refusal=f"{_not_made(one)}. {remedy}")

    def _variable(self, found: tuple[Candidate, ...]) -> Judgement:
        one = found[0]
        if reason := variable_in_the_way(
            one.create, tuple(each.thing for each in found if isinstance(each.thing, vercel.Variable))
        ):
            return Judgement(refusal=reason)
        if self._in_time(one):
            return Judgement(one)
        return Judgement(refusal=f"{_not_made(one)}. To take it over, run environments adopt -s {self.stack}")

    def _in_time(self, one: Candidate) -> bool:
        return self.attempts.cover(one.create.urn, one.created_at)


def _not_made(one: Candidate) -> str:
    moment = f"{one.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{one} exists as {one.id}, made at {moment}. No pulumi up of this stack failed or was cut short at that time, "
        "so this stack did not make it"
    )
