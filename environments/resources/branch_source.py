"""BranchSource: where a branch comes from, settled once when the branch is made.

A branch can't be cloned a second time, so an edit of its source is refused: the provider would report "updated" and do
nothing. Once the source is settled, the other stack is no longer needed: a broken dev can't stop production.

The engine makes it before the branch and deletes it after the branch. So it also refuses an edit that would take the
branch away from another stack that serves from it, and it notices a deletion that Neon refused: there the provider
reports success.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from environments import log
from environments.branches.deleted import Seen, deleted_refusal, look, newest_operation
from environments.branches.duplicate_projects import warn_of_duplicate_projects
from environments.branches.shareable import sharing_refusal
from environments.branches.source import TEMPORARY, Kind, Source, WantedBranch
from environments.clients.neon import Neon
from environments.clients.postgres import connected
from environments.database.provenance import baseline
from environments.errors import FailedError
from environments.ids import BranchId, BranchKey, DatabaseName, NeonProject, RoleName, Transaction
from environments.props import Lasting, Unknown, Unwatched, known
from environments.resources.typed import Checked, State, Typed

_ENDS: dict[Kind, str] = {"temporary": "that expires", "schema-only": "that expires and holds no rows"}


class StillThereError(FailedError):
    """Neon kept a branch that was to be deleted."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The source of branch `name`: `parent` is its id in Neon, None while it isn't there.

    `own` says that the parent is a branch of the same environment, whose `database` belongs to `owner`. `shareable`
    says that other stacks may serve from the branch. Whether it `serves` only chooses the words of a refusal. `seen` is
    what the last refresh saw: `check` keeps it, since the engine shows it no outputs.
    """

    name: Unwatched[BranchKey]
    project: Unwatched[NeonProject | Unknown]
    source: Source
    parent: Unwatched[BranchId | Unknown | None]
    own: Unwatched[bool]
    wanted: WantedBranch
    shareable: Unwatched[bool]
    serves: Unwatched[bool]
    database: Unwatched[DatabaseName]
    owner: Unwatched[RoleName]
    seen: Unwatched[Seen] = field(default_factory=Seen)


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What was settled.

    `fork` is the parent's oldest transaction that the branch could miss, None where that isn't known. `operation` is
    the newest thing that Neon had done by then. `adopted` is the id of a branch that was there before.
    """

    fork: Lasting[Transaction | None]
    operation: Lasting[str]
    adopted: Lasting[BranchId | None]


class BranchSource(Typed[Inputs, Outputs]):
    """Settles a branch's source when it is made, and refuses every later change of it."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Refuse an edited source, and a source that is missing when it is needed.

        While nobody edits the source the old inputs stay, but for what the branch is to be: so it doesn't matter that
        the other stack, or its branch, is gone.
        """
        if old is None:
            return Checked.of(new, _missing(new))
        if refusal := _gone(old, new) or _moved(old, new):
            return Checked.of(new, refusal)
        if old.source == new.source:
            return _rechecked(old, new)
        return Checked.of(new, _another_source(old, new) or _missing(new))

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Settle the source as it was given, with the fork if it is a branch of the same environment."""
        project = known(new.project, "the Neon project")
        adopted = _keep(project, new.wanted.name) if new.source.kind == "adopted" else None
        operation = newest_operation(project)
        if new.shareable:
            warn_of_duplicate_projects(project)
        return new.name, Outputs(fork=_fork(new), operation=operation, adopted=adopted)

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Take the new source of a branch that could not be made from the old one, or the new name or policy."""
        if old.inputs.source == new.source:
            return old.outputs
        return replace(old.outputs, fork=_fork(new))

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs]:
        """Look whether the branch is still there, so that the next `check` refuses if somebody deleted it."""
        inputs = old.inputs
        seen = look(
            known(inputs.project), inputs.wanted.name, inputs.seen.id or old.outputs.adopted, old.outputs.operation
        )
        return replace(old, inputs=replace(inputs, seen=seen))

    def delete(self, old: State[Inputs, Outputs]) -> None:
        """Look whether a retired branch is really gone; a temporary one says so itself when it isn't."""
        wanted = old.inputs.wanted
        if wanted.deletion != "delete" or old.inputs.source.kind in TEMPORARY:
            return
        with Neon() as neon:
            branches = neon.branches(known(old.inputs.project))
        found = next((branch for branch in branches if branch.name == wanted.name), None)
        if found is None:
            return
        copies = ", ".join(sorted(branch.name for branch in branches if branch.parent_id == found.id))
        reason = f"since {copies} was cloned from it: drop that first" if copies else "see its console for the reason"
        raise StillThereError(
            f"Neon did not delete branch {wanted.name} ({found.id}), {reason}. Then delete it in Neon's console, "
            "where its compute is gone already, and run pulumi up again"
        )


def _rechecked(old: Inputs, new: Inputs) -> Checked[Inputs]:
    kept = replace(old, wanted=new.wanted, serves=new.serves, shareable=new.shareable)
    refusal = sharing_refusal(
        new.name,
        old.wanted,
        new.wanted,
        shareable=old.shareable,
        project=known(old.project),
        database=old.database,
        owner=old.owner,
    )
    if not refusal:
        _warn_of_deletion(old, new)
    return Checked.of(kept, refusal)


def _warn_of_deletion(old: Inputs, new: Inputs) -> None:
    """Say what an edit of the branch's deletion policy means for its rows."""
    name, policy = new.name, new.wanted.deletion
    if policy == old.wanted.deletion:
        return
    if policy == "orphan":
        log.warn(f"{name} is released: nothing happens to it. When its line is dropped, it stays in Neon")
    elif policy == "delete":
        log.warn(f"{name} is retired: nothing is deleted yet. Dropping its line then deletes it, with every row on it")


def _gone(old: Inputs, new: Inputs) -> str:
    """Return that somebody deleted the branch, if the last refresh noticed it; Neon itself deletes a temporary one."""
    if not old.seen.gone or old.source.kind in TEMPORARY:
        return ""
    return deleted_refusal(new.name, old.source, serves=new.serves)


def _moved(old: Inputs, new: Inputs) -> str:
    """Return that the branch lies in another project than the settings say, if so."""
    if isinstance(new.project, Unknown) or new.project == old.project:
        return ""
    return (
        f"branch {new.name} lies in Neon project {old.project} and can't be moved to {new.project}: put the project "
        "back as it was. For a branch in another project add one with project and copy: dump"
    )


def _another_source(old: Inputs, new: Inputs) -> str:
    """Return that the branch can't be made from another source, if it exists."""
    if _find(known(old.project), old.wanted.name) is None:
        return ""
    kinds = old.source.kind != new.source.kind
    return (
        f"branch {new.name} is a copy of {_described(old.source, kind=kinds)} and can't become one of "
        f"{_described(new.source, kind=kinds)}: add a new branch with that source instead, and put {new.name}'s line "
        "back as it was"
    )


def _described(source: Source, *, kind: bool) -> str:
    return f"{source} {_ENDS.get(source.kind, 'that stays')}" if kind else str(source)


def _missing(new: Inputs) -> str:
    """Return that there is nothing to clone or to adopt, if so."""
    if new.source.kind == "adopted":
        name = new.wanted.name
        if not isinstance(new.project, Unknown) and _find(new.project, name):
            return ""
        return (
            f"branch {new.name} is to be adopted, and the project has none called {name}: correct its key or its name"
        )
    if new.parent is not None:
        return ""
    stack = new.source.stack
    return (
        f"branch {new.name} is to be a copy of {new.source.branch} in stack {stack}, which exports no such branch: run "
        f"pulumi up -s {stack} first, or correct environments:branches.{new.name}.from"
    )


def _find(project: NeonProject, name: str) -> BranchId | None:
    """Return the id of the branch of that name, None if there is none."""
    with Neon() as neon:
        return next((branch.id for branch in neon.branches(project) if branch.name == name), None)


def _keep(project: NeonProject, name: str) -> BranchId | None:
    """Let the branch of that name live on, if Neon was to delete it as it does a restore point; return its id."""
    with Neon() as neon:
        found = next((branch for branch in neon.branches(project) if branch.name == name), None)
        if found and found.expires_at:
            neon.keep_branch(project, found.id)
    return found.id if found else None


def _fork(new: Inputs) -> Transaction | None:
    """Return the parent's oldest transaction that the branch could miss.

    None where that isn't known: another stack's branch, another moment, no compute, or a branch that exists already.
    """
    project = known(new.project)
    if not new.own or new.source.at or new.parent is None or _find(project, new.wanted.name):
        return None
    with Neon() as neon:
        address = neon.address_of(project, known(new.parent, "the parent"), new.database, new.owner)
        if address is None:
            return None
        with connected(neon.uri(address, pooled=False)) as connection:
            return Transaction(baseline(connection))
