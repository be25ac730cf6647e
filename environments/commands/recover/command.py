"""`environments recover`: changes the stack's state only; what it finds in the clouds it leaves as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from environments.clients import providers
from environments.clients.comparing import COMPARING
from environments.clients.credentials import require_credentials
from environments.clients.neon import Neon
from environments.clients.orphans import orphans
from environments.clients.pulumi import Checkpoint, Plan, Resource, Stack, Urn
from environments.clients.vercel import Vercel
from environments.commands.comparison.candidates import Candidate, Clouds, candidates
from environments.commands.comparison.taking import settle, take_over
from environments.commands.recover.attempts import Attempts, attempts
from environments.commands.recover.ours import Judge
from environments.errors import RefusedError
from environments.ids import BranchId
from environments.props import Unknown

_ROUNDS: Final = 4
"""A project, what lies in it, and what lies in that: each is known once what holds it is in the state."""


class InTheWayError(RefusedError):
    """Something that the stack would create exists, and this stack did not make it."""


@dataclass
class _Found:
    """What the comparison found, for the report."""

    ours: list[Candidate] = field(default_factory=list)
    spare: list[Candidate] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    unwanted: list[Candidate] = field(default_factory=list)
    problem: str = ""


def recover(stack: Stack, *, unlock: bool) -> None:
    """Take over what this stack made and its state lacks, forget what is gone, and read the rest as it really is.

    `unlock` says that the engine which holds the stack's lock is gone for certain. Raises InTheWayError, after all
    that, for what exists and is somebody else's.
    """
    require_credentials(os.environ)
    if stack.repair_backend():
        print("The engine was killed while it wrote to its backend. What it left half-written is repaired.")
    locks = stack.unlock(force=unlock)
    if locks:
        print("The engine that held the lock is gone. Its lock is removed.")
    for orphan in orphans(stack.folder):
        print(
            f"{orphan.name}, process {orphan.pid}, is left over from an engine that was killed. It has the API tokens "
            f"in its environment, and nothing uses it. To end it: kill {orphan.pid}"
        )
    before = stack.export()
    tried = attempts(stack.history(), before, locks)
    stack.refresh()
    after = stack.export()
    with Neon() as neon, Vercel() as vercel:
        found = _compare(stack, Clouds(neon, vercel), tried, before, after)
    # The pending operations go last: they tell a second run what this is about, should this one be killed.
    if found.ours or before.unfinished:
        settle(stack, found.ours)
    _report(found, before, after)
    if found.refusals:
        reasons = "\n".join(f"  - {each}" for each in found.refusals)
        raise InTheWayError(f"the rest is recovered, but this is in the way of pulumi up -s {stack.name}:\n{reasons}")
    print(f"Recovered. Now: pulumi up -s {stack.name}")


def _compare(stack: Stack, clouds: Clouds, tried: Attempts, before: Checkpoint, after: Checkpoint) -> _Found:
    """Take over what is this stack's, round by round, until nothing more comes to light."""
    found, state = _Found(), after.resources
    for _ in range(_ROUNDS):
        plan = stack.plan({COMPARING: "1"})
        creates = _wanted(plan, before)
        judge = Judge(stack.name, clouds, tried, [*creates, *state])
        ours, waits = _round(judge, creates, found)
        take_over(stack, creates, ours)
        found.ours += ours
        found.problem = plan.problem
        if not ours or not waits:
            break
        state = stack.export().resources
    found.spare += judge.spare_projects()
    if not plan.problem:
        taken = {one.create.urn for one in found.ours}
        left = [each for each in before.pending_creates if each.urn not in taken | {one.urn for one in creates}]
        found.unwanted = [one for create in left for one in _existing(create, judge)]
    return found


def _wanted(plan: Plan, before: Checkpoint) -> list[Resource]:
    """Return what the program wants and the state lacks.

    Where a preview can't say that to the end, what the engine was creating counts as wanted too.
    """
    planned = {create.urn for create in plan.creates}
    cut_short = [each for each in before.pending_creates if each.urn not in planned] if plan.problem else []
    return [*plan.creates, *cut_short]


def _round(judge: Judge, creates: Sequence[Resource], found: _Found) -> tuple[list[Candidate], bool]:
    """Return what is to be taken over, and whether more can be told once it is in the state."""
    ours: list[Candidate] = []
    branches: dict[Urn, BranchId] = {}
    waits, found.refusals = False, []
    for create in creates:
        fitting = candidates(create, judge.clouds, branches)
        if isinstance(fitting, Unknown):
            waits = True
            continue
        if not fitting:
            continue
        judgement = judge.decide(fitting)
        if judgement.refusal:
            found.refusals.append(judgement.refusal)
        if judgement.ours:
            ours.append(judgement.ours)
            if create.token == providers.NEON_BRANCH:
                branches[create.parent] = BranchId(judgement.ours.id)
        found.spare += judgement.spare
    return ours, waits


def _existing(create: Resource, judge: Judge) -> list[Candidate]:
    fitting = candidates(create, judge.clouds, {})
    if isinstance(fitting, Unknown) or not fitting:
        return []
    ours = judge.decide(fitting).ours
    return [ours] if ours else []


def _report(found: _Found, before: Checkpoint, after: Checkpoint) -> None:
    """Say what was taken over, what was not made, what is forgotten, and what is left as it is."""
    there = {each.urn for each in after.resources}
    taken = {one.create.urn for one in found.ours}
    for one in found.ours:
        print(f"{one}: it exists as {one.id}, this stack made it, and it is taken over.")
    for create in before.pending_creates:
        if create.urn not in taken and create.urn not in {one.create.urn for one in found.unwanted}:
            print(
                f"{create.name} ({create.token}): its creation was cut short; pulumi up creates it or goes on with it."
            )
    for gone in before.resources:
        if gone.id and gone.urn not in there and gone.urn not in taken:
            print(f"{gone.name} ({gone.token}): {gone.id} no longer exists, and is forgotten.")
    for one in found.unwanted:
        print(
            f"{one}: it exists as {one.id}, this stack made it, and the stack file no longer wants it. It is left as "
            "it is: delete it in its console, or put its line back and run this again."
        )
    for one in {each.id: each for each in found.spare}.values():
        print(f"{one}: it was made more than once. Nothing uses {one.id}, which is empty: delete it in Neon's console.")
    if found.problem:
        print(
            "The preview did not come to its end, so what it would create after that was not compared. It says:\n"
            f"{found.problem}\nIf pulumi up finds something that exists already, correct this and run recover again."
        )
