"""Transfer: the rows of a branch that lies in another Neon project than its source, carried over by dump and restore.

A clone needs nothing of this. The copy that this makes shows, before anything depends on it, that the database can be
carried over and how long that takes. The cutover makes the copy once more behind the fence, so that no row is left
behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from environments import log
from environments.branches.deleted import still_there
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, NotReadyError, connected
from environments.database.copy.carry_over import carry_over, copy_refusal
from environments.database.copy.note import read_note
from environments.database.copy.roles_and_settings import other_databases
from environments.ids import BranchId, BranchKey, DatabaseName, EndpointId, NeonProject, RoleName
from environments.props import Lasting, Unknown, Unwatched, known
from environments.resources.typed import Checked, State, Typed


@dataclass(frozen=True, kw_only=True)
class Source:
    """The branch whose rows are carried over, by its key and its ids.

    Its compute is looked up when it is needed: an input would make the branch that serves wait for the one that is to.
    """

    name: BranchKey
    project: NeonProject | Unknown
    branch: BranchId | Unknown | None


@dataclass(frozen=True, kw_only=True)
class Target:
    """The branch that is filled, over its compute."""

    name: BranchKey
    project: NeonProject | Unknown
    branch: BranchId | Unknown
    endpoint: EndpointId | Unknown


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Carry `database`, which belongs to `owner`, from one branch to the other.

    No edit fills the target again: BranchSource settles the source, and the cutover counts what was written since.
    """

    source: Unwatched[Source]
    target: Unwatched[Target]
    database: Unwatched[DatabaseName]
    owner: Unwatched[RoleName]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """How many seconds that took, 0 if it isn't known."""

    seconds: Lasting[float]


class Transfer(Typed[Inputs, Outputs]):
    """Fills a branch once; a later edit fills nothing, and deleting it empties nothing."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Refuse what no dump can carry over, before the branch is made."""
        source, target = new.source, new.target
        if old is not None or isinstance(source.project, Unknown) or isinstance(target.project, Unknown):
            return Checked(new)
        if source.branch is None or isinstance(source.branch, Unknown):
            return Checked(new)
        why, others = _judged(new, source.project, source.branch, target.project)
        if why:
            return Checked.of(new, f"branch {target.name} can't be filled from {source.name}: {why}")
        if others:
            also = f"{source.name} has other databases besides {new.database}"
            log.warn(f"{also}, which stay behind on it: {', '.join(others)}")
        return Checked(new)

    def create(self, new: Inputs) -> tuple[BranchId, Outputs]:
        """Fill the branch; one that an earlier create filled, whose end was not seen, is taken as it is."""
        branch = known(new.target.branch)
        target = Address(known(new.target.project), branch, known(new.target.endpoint), new.database, new.owner)
        with Neon() as neon:
            source = _source(neon, new, known(new.source.project), known(new.source.branch))
            with connected(neon.uri(target, pooled=False)) as owner:
                note = read_note(owner, branch)
        if note is not None and note.source == source.branch:
            return branch, Outputs(seconds=0.0)
        filled = carry_over(source, target)
        log.info(f"{new.target.name} is filled from {new.source.name}: {filled}")
        return branch, Outputs(seconds=round(filled.seconds, 1))

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Fill nothing again."""
        return old.outputs

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs] | None:
        """Keep what is known while the branch is there."""
        there = still_there(known(old.inputs.target.project), known(old.inputs.target.branch))
        return old if there else None


def _judged(new: Inputs, source: NeonProject, branch: BranchId, target: NeonProject) -> tuple[str, list[str]]:
    """Return why the source can't be carried over, or nothing, and which of its databases aren't."""
    try:
        with Neon() as neon:
            newest = neon.project(target).postgres
            uri = neon.uri(_source(neon, new, source, branch), pooled=False)
        with connected(uri) as connection:
            return copy_refusal(connection, None, newest), other_databases(connection)
    except UNREACHABLE as error:
        return f"it could not be asked ({error})", []


def _source(neon: Neon, new: Inputs, project: NeonProject, branch: BranchId | None) -> Address:
    address = neon.address_of(project, branch, new.database, new.owner) if branch else None
    if address is None:
        raise NotReadyError(f"branch {new.source.name} has no compute to read it with")
    return address
