"""Production as the engine keeps it, without the engine: our own resources are called in its order, with its state.

What the community provider makes, branches and computes, is made here through Neon's API, and looked for before: that
is how recovery treats it. A function here runs in a process of its own, which may be killed; `say` hands the state over
after each resource, as the engine writes it down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from environments.clients.app_files import app_digest
from environments.clients.neon import Address, Neon
from environments.cutover.pointer import BranchToServe, HealthCheck, Pointer, StagedDeployment
from environments.cutover.pointer import Outputs as Pointed
from environments.database.marker import Claim
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeletionPolicy,
    NeonProject,
    RoleName,
    StackName,
    VercelProject,
)
from environments.plan.topology import ANY_ROWS, Accepted, Guard
from environments.resources import app_login, deployment, external_login
from environments.resources.app_login import AppLogin
from environments.resources.cutover import Cutover
from environments.resources.deployment import Deployment
from environments.resources.external_login import ExternalBranch, ExternalLogin
from environments.resources.typed import State, Typed
from tests.cutover.pointers import NO_LINEAGE, ROLES, SUMMARY

DATABASE, OWNER = DatabaseName("neondb"), RoleName("neondb_owner")
DEVS = BranchKey("dev/dev")
SIZE = {"autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 0.25, "suspend_timeout_seconds": -1}
NEEDS = Claim(StackName("prod"), 0.25, 0.25, -1, protected=False)

I = TypeVar("I")  # noqa: E741 - inputs
O = TypeVar("O")  # noqa: E741 - outputs
Say = Callable[["Stack"], None]


@dataclass(frozen=True)
class Wanted:
    """What the stack file says. `served` is a key of `branches`, or DEVS; `accepted` the branch that may be left."""

    branches: tuple[BranchKey, ...]
    served: BranchKey
    generation: int = 1
    policies: dict[BranchKey, DeletionPolicy] = field(default_factory=dict)
    adopted: frozenset[BranchKey] = frozenset()
    accepted: BranchKey | None = None


@dataclass
class Stack:
    """The state: what was made, as far as that was written down. `prefix` begins each name that Neon gets."""

    neon: NeonProject
    vercel: VercelProject
    dev: BranchId
    app: str
    prefix: str
    addresses: dict[BranchKey, Address] = field(default_factory=dict)
    logins: dict[BranchKey, State[app_login.Inputs, app_login.Outputs]] = field(default_factory=dict)
    external: State[external_login.Inputs, external_login.Outputs] | None = None
    deployment: State[deployment.Inputs, deployment.Outputs] | None = None
    pointer: State[Pointer, Pointed] | None = None

    @property
    def served(self) -> BranchKey | None:
        """Where the pointer leads, as far as the state knows."""
        return self.pointer.outputs.served.branch if self.pointer else None


class RefusedByCheckError(Exception):
    """A check refused the edit in words; nothing was done."""


def up(stack: Stack, wanted: Wanted, say: Say) -> None:
    """Bring everything to what is wanted."""
    for key in wanted.branches:
        if key not in stack.addresses:
            stack.addresses[key] = _branch(stack, key)
            say(stack)
        stack.logins[key] = _brought(AppLogin(), stack.logins.get(key), _login(stack, wanted, key))
        say(stack)
    if wanted.served == DEVS or stack.external:
        stack.external = _brought(ExternalLogin(), stack.external, _external(stack, wanted))
        say(stack)
    stack.deployment = _brought(Deployment(), stack.deployment, _deployment(stack, wanted))
    say(stack)
    stack.pointer = _brought(Cutover(), stack.pointer, _pointer(stack, wanted))
    say(stack)


def recover(stack: Stack, say: Say) -> None:
    """Read everything as it really is."""
    for key, login in list(stack.logins.items()):
        found = AppLogin().read(login)
        if found is None:
            del stack.logins[key]
        else:
            stack.logins[key] = found
    if stack.external:
        stack.external = ExternalLogin().read(stack.external)
    if stack.pointer:
        stack.pointer = Cutover().read(stack.pointer)
    say(stack)


def delete(stack: Stack, key: BranchKey, say: Say) -> None:
    """Delete a branch that was retired, as the engine does once its line is dropped: its login first."""
    if key in stack.logins:
        AppLogin().delete(stack.logins[key])
        del stack.logins[key]
        say(stack)
    with Neon() as neon:
        neon.delete_branch(stack.neon, stack.addresses[key].branch)
    del stack.addresses[key]
    say(stack)


def release(stack: Stack, key: BranchKey, say: Say) -> None:
    """Forget a branch that was released: nothing of it is deleted."""
    stack.logins.pop(key, None)
    stack.addresses.pop(key, None)
    say(stack)


def adopt(stack: Stack, key: BranchKey, branch: BranchId, say: Say) -> None:
    """Take over a branch that is there, as `environments adopt` does."""
    with Neon() as neon:
        address = neon.address_of(stack.neon, branch, DATABASE, OWNER)
    assert address is not None, f"{key} has its compute"
    stack.addresses[key] = address
    say(stack)


def rename(stack: Stack, key: BranchKey, name: str, say: Say) -> None:
    """Give a branch another name in Neon."""
    with Neon() as neon:
        neon.change_branch(stack.neon, stack.addresses[key].branch, {"name": name})
    say(stack)


def role_of(generation: int) -> RoleName:
    """Return the role whose turn it is."""
    return ROLES[(generation - 1) % 2]


def _brought(resource: Typed[I, O], old: State[I, O] | None, wanted: I) -> State[I, O]:
    """Do with one resource what the engine does: check it, then create it, update it, or leave it."""
    checked = resource.check(old.inputs if old else None, wanted)
    if checked.refusals:
        raise RefusedByCheckError("; ".join(checked.refusals))
    new = checked.inputs
    if old is None:
        id_, outputs = resource.create(new)
        return State(id_, new, outputs)
    if resource.changed(old, new) or resource.stale(old, new):
        return State(old.id, new, resource.update(old, new))
    return replace(old, inputs=new)


def _branch(stack: Stack, key: BranchKey) -> Address:
    name = f"{stack.prefix}-{key}"
    with Neon() as neon:
        found = next((each for each in neon.branches(stack.neon) if each.name == name), None)
        if found is None:
            branch = {"name": name, "parent_id": stack.dev}
            found = neon.make_branch(stack.neon, branch, SIZE)[0]
        address = neon.address_of(stack.neon, found.id, DATABASE, OWNER)
        if address is None:
            endpoint = {"branch_id": found.id, "type": "read_write", **SIZE}
            neon.call("POST", f"/projects/{stack.neon}/endpoints", json={"endpoint": endpoint})
            address = neon.address_of(stack.neon, found.id, DATABASE, OWNER)
    assert address is not None, f"{name} has its compute"
    return address


def _login(stack: Stack, wanted: Wanted, key: BranchKey) -> app_login.Inputs:
    return app_login.Inputs(
        address=stack.addresses[key],
        role=role_of(wanted.generation),
        roles=ROLES,
        generation=wanted.generation,
        serves=wanted.served == key,
        keep_logins=False,
        adopted=key in wanted.adopted,
        deletion=wanted.policies.get(key, "retain"),
        external_logins={},
        key=key,
    )


def _external(stack: Stack, wanted: Wanted) -> external_login.Inputs:
    serve = ExternalBranch(stack=StackName("dev"), name=BranchKey("dev"), exported=stack.dev)
    return external_login.Inputs(
        project=stack.neon,
        serve=serve if wanted.served == DEVS else None,
        may_swap=True,
        needs=NEEDS,
        database=DATABASE,
        owner=OWNER,
        role=role_of(wanted.generation),
        roles=ROLES,
        generation=wanted.generation,
    )


def _served_login(stack: Stack, wanted: Wanted) -> app_login.Outputs | external_login.Outputs:
    if wanted.served != DEVS:
        return stack.logins[wanted.served].outputs
    assert stack.external, "the external login comes before what uses it"
    return stack.external.outputs


def _deployment(stack: Stack, wanted: Wanted) -> deployment.Inputs:
    login = _served_login(stack, wanted)
    return deployment.Inputs(
        project=stack.vercel,
        neon_project=stack.neon,
        path=stack.app,
        digest=app_digest(Path(stack.app)) or "",
        branch=stack.dev if wanted.served == DEVS else stack.addresses[wanted.served].branch,
        pooled_url=login.pooled_url,
        direct_url=login.direct_url,
        fingerprint=login.fingerprint,
        waiting=(),
    )


def _pointer(stack: Stack, wanted: Wanted) -> Pointer:
    login, theirs = _served_login(stack, wanted), wanted.served == DEVS
    if isinstance(login, external_login.Outputs):
        branch, endpoint = login.branch, login.endpoint
    else:
        branch, endpoint = stack.addresses[wanted.served].branch, stack.addresses[wanted.served].endpoint
    accepted = Accepted(branch=wanted.accepted, rows=ANY_ROWS) if wanted.accepted else None
    assert stack.deployment, "the deployment comes before the pointer"
    built = stack.deployment.outputs
    health = HealthCheck(path="/health", status=200)
    return Pointer(
        vercel=stack.vercel,
        serve=wanted.served,
        branch=BranchToServe(
            key=wanted.served,
            project=stack.neon,
            id=branch,
            endpoint=endpoint,
            database=DATABASE,
            owner=OWNER,
            role=role_of(wanted.generation),
            roles=ROLES,
            fingerprint=login.fingerprint,
            baseline=login.baseline,
            claim=NEEDS if theirs else None,
        ),
        lineage=NO_LINEAGE,
        restore_point=None,
        app_url=login.pooled_url,
        deployment=StagedDeployment(id=built.deployment, url=built.url, redeploys=False, health=health),
        shuts_logins=False,
        visited=stack.external.outputs.visited if stack.external else {},
        summary=SUMMARY,
        guard=Guard(moves="any", live=False, rows_left_behind=0, fence_first=True, accepted=accepted),
    )
