"""ExternalLogin: the environment's own login on branches that another stack owns, while the pointer leads there.

Under Pointer Swap nothing is copied, and nothing of the other stack's is touched: its owner's password, its logins and
its compute stay. This resource makes the environment's app role there, notes the baseline, and refuses a branch whose
compute is too small. It remembers its login on every such branch, so that the way back to one needs no build, and
which id each name meant: a pointer doesn't follow when the other stack gives the name to another branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from environments import log
from environments.branches.deleted import still_there
from environments.clients.neon import Address, Endpoint, Neon, OperationFailedError
from environments.clients.postgres import UNREACHABLE, connected
from environments.cutover.guard import no_swap
from environments.cutover.served import ServedBranch
from environments.database.login import KeptLogin, LoginSpec, make_login, marker_of, renamed_refusal, renew_login
from environments.database.logins import close_login
from environments.database.marker import Claim, drop_claim
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    EndpointId,
    Fingerprint,
    NeonProject,
    RoleName,
    StackName,
    Transaction,
)
from environments.props import Secret, Unknown, Unwatched, encode, known
from environments.resources.typed import Checked, State, Typed


@dataclass(frozen=True, kw_only=True)
class ExternalBranch:
    """Branch `name` of `stack`, as the stack file names it; `exported` is its id as that stack exports it."""

    stack: StackName
    name: BranchKey
    exported: BranchId | None

    @property
    def key(self) -> BranchKey:
        """How the pointer calls it."""
        return BranchKey(f"{self.stack}/{self.name}")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The login `role`, one of `roles`, on the branch that `serve` leads to; None if the environment owns that.

    `may_swap` says whether the strategy lets the pointer move to another stack's branch, `needs` what the branch must
    have. `check` settles `branch`, and in `ids` what each name meant when the pointer came to it first.
    """

    project: Unwatched[NeonProject | Unknown]
    serve: Unwatched[ExternalBranch | None]
    may_swap: Unwatched[bool]
    needs: Unwatched[Claim]
    database: DatabaseName
    owner: RoleName
    role: RoleName
    roles: Unwatched[tuple[RoleName, RoleName]]
    generation: int
    branch: BranchId | None = None
    ids: Unwatched[Mapping[BranchKey, BranchId]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The login on `branch`, all of it empty before the pointer first leads to another stack's branch.

    `visited` are the branches with a login of this environment, `kept` those logins, both by the branch's id.
    """

    branch: BranchId
    endpoint: EndpointId
    pooled_url: Secret[str]
    direct_url: Secret[str]
    fingerprint: Fingerprint
    baseline: Transaction
    visited: Mapping[BranchId, ServedBranch]
    kept: Mapping[BranchId, KeptLogin]


_NONE = Outputs(
    branch=BranchId(""),
    endpoint=EndpointId(""),
    pooled_url="",
    direct_url="",
    fingerprint=Fingerprint(""),
    baseline=Transaction(""),
    visited={},
    kept={},
)


class ExternalLogin(Typed[Inputs, Outputs]):
    """Makes logins on other stacks' branches. Deleting it closes them; the roles go with the branches."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Settle which branch is meant, and refuse one that doesn't exist, is another one by now, or is too small."""
        serve = new.serve
        if old and set(old.roles) != set(new.roles):
            return Checked.of(new, renamed_refusal(old.roles, new.roles))
        if serve is None:
            return Checked(old or new)
        ids = old.ids if old else {}
        if refusal := _settled_refusal(old, serve, ids.get(serve.key)):
            return Checked.of(new, refusal)
        branch = serve.exported or ids[serve.key]
        new = replace(new, branch=branch, ids={**ids, serve.key: branch})
        if not new.may_swap and not _names_the_same(old, serve):
            return Checked.of(new, no_swap(serve.key))
        if old and (old.branch, old.needs) == (branch, new.needs):
            return Checked(new)
        return Checked.of(new, _size_refusal(new, serve, branch))

    def planned(self, old: State[Inputs, Outputs] | None, new: Inputs) -> dict[str, Any]:
        """Return the outputs that a preview knows: `check` has settled the branch."""
        branch = {"branch": encode(new.branch or "")}
        return super().planned(old, new) | branch

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Make the login, if the pointer leads to another stack's branch."""
        return "external", _made(new, _NONE)

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Make the login on another branch, or another one on the same."""
        return _made(new, old.outputs)

    def delete(self, old: State[Inputs, Outputs]) -> None:
        """Leave the branches: take the claims on them back, so that their stacks may do with them as they like."""
        for branch, place in old.outputs.visited.items():
            try:
                with Neon() as neon, connected(neon.uri(place.address, pooled=False)) as connection:
                    drop_claim(connection, place.roles, branch)
                    for role in place.roles:
                        close_login(connection, role)
            except UNREACHABLE as error:
                log.warn(f"{place.key} can't be reached, so its marker may still hold this stack's claim: {error}")

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs]:
        """Forget the logins on branches that are gone."""
        visited = old.outputs.visited.items()
        gone = {branch for branch, place in visited if still_there(place.address.project, branch) is None}
        return replace(
            old,
            outputs=replace(
                old.outputs,
                visited={branch: place for branch, place in old.outputs.visited.items() if branch not in gone},
                kept={branch: login for branch, login in old.outputs.kept.items() if branch not in gone},
            ),
        )


def _names_the_same(old: Inputs | None, serve: ExternalBranch) -> bool:
    return bool(old and old.serve and old.serve.key == serve.key)


def _settled_refusal(old: Inputs | None, serve: ExternalBranch, settled: BranchId | None) -> str:
    """Return why it isn't clear which branch the pointer leads to, or nothing."""
    name, stack, exported = serve.name, serve.stack, serve.exported
    if not exported and not settled:
        return f"serve names branch {name} of stack {stack}, which exports no such branch: run pulumi up -s {stack}"
    if exported and settled and exported != settled and _names_the_same(old, serve):
        return (
            f"{name} of stack {stack} is now branch {exported}, and the pointer leads to {settled}. A pointer never "
            f"follows a name by itself: serve a branch of this stack first, or give {settled} its name back"
        )
    return ""


def _size_refusal(new: Inputs, serve: ExternalBranch, branch: BranchId) -> str:
    """Return why the branch can't carry this environment, with the remedy, or nothing."""
    needs, stack, name, project = new.needs, serve.stack, serve.name, known(new.project, "the Neon project")
    with Neon() as neon:
        compute = _compute(neon, project, branch, serve)
        protected = neon.branch(project, branch).protected
    lacks = needs.lacks(compute.min_cu, compute.max_cu, compute.suspend_seconds, protected=protected)
    if not lacks:
        return ""
    return (
        f"branch {name} of stack {stack} can't carry {needs.stack}: {'; '.join(lacks)}. In Pulumi.{stack}.yaml write "
        f"{name}: {{{needs.settings()}}} under branches, run pulumi up -s {stack}, then come back"
    )


def _compute(neon: Neon, project: NeonProject, branch: BranchId, serve: ExternalBranch) -> Endpoint:
    for compute in neon.endpoints(project, branch):
        if compute.type == "read_write":
            return compute
    raise OperationFailedError(f"branch {serve.name} of stack {serve.stack} has no compute that can write")


def _made(new: Inputs, was: Outputs) -> Outputs:
    """Make the login, and remember it with its branch."""
    serve, branch = new.serve, new.branch
    if serve is None or branch is None:
        return was
    project = known(new.project, "the Neon project")
    with Neon() as neon:
        endpoint = _compute(neon, project, branch, serve).id
        address = Address(project, branch, endpoint, new.database, new.owner)
        wanted = LoginSpec(address=address, role=new.role, roles=new.roles, generation=new.generation)
        if branch in was.kept:
            login = renew_login(neon, wanted, was.kept[branch], serves=True)
        else:
            login = make_login(neon, wanted, marker_of(neon, wanted, is_new=True))
    place = ServedBranch(
        address=address,
        key=serve.key,
        role=new.role,
        roles=new.roles,
        baseline=login.baseline,
        claim=new.needs,
    )
    return Outputs(
        branch=branch,
        endpoint=endpoint,
        pooled_url=login.pooled_url,
        direct_url=login.direct_url,
        fingerprint=login.fingerprint,
        baseline=login.baseline,
        visited={**was.visited, branch: place},
        kept={**was.kept, branch: login.kept},
    )
