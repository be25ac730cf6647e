"""TemporaryBranch: a branch that Neon deletes by itself when its time is over, with its source's rows or without them.

The provider's Branch knows neither an expiry nor a branch without rows (see docs/environments.md). Preview environments
need both. Nothing else about it is special: its compute and its logins are those of any other branch.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from environments.branches.shareable import claims_on
from environments.clients.http import NotFoundError
from environments.clients.neon import Branch, Neon
from environments.database.marker import Claim, ClaimedError
from environments.errors import RefusedError
from environments.ids import BranchId, DatabaseName, Lsn, NeonProject, RoleName
from environments.props import Unknown, Unwatched, known
from environments.resources.typed import Checked, State, Typed

_SCHEMA_ONLY = "schema-only"


class NameTakenError(RefusedError):
    """The project has a branch of that name, and it isn't one whose creation was cut short."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a temporary branch is a copy of: `description` is for a sentence, `parent` None while it isn't there.

    At most one of `timestamp`, in Unix seconds, and `lsn` says as of when; `schema_only` leaves the rows out.
    """

    description: str
    parent: BranchId | Unknown | None
    timestamp: int | None = None
    lsn: Lsn | None = None
    schema_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Branch `name`, which lives `lifetime` seconds from now, or from the moment when that is edited.

    `database` and its `owner` are those of the app.
    """

    project: Unwatched[NeonProject | Unknown]
    name: str
    source: Unwatched[Source]
    lifetime: int
    database: Unwatched[DatabaseName]
    owner: Unwatched[RoleName]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """When Neon deletes it, or a little later, in RFC 3339; empty if somebody took that away."""

    expires_at: str


class TemporaryBranch(Typed[Inputs, Outputs]):
    """Makes a branch with an expiry. One that has expired is made again, from its source as it is by then."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Refuse to make a branch, for the first time or again, while its source is missing."""
        if old is not None or new.source.parent is not None:
            return Checked(new)
        return Checked.of(
            new,
            f"branch {new.name} is to be made as a copy of {new.source.description}, which isn't there: bring that up "
            "first, then come back",
        )

    def create(self, new: Inputs) -> tuple[BranchId, Outputs]:
        """Make the branch; one whose creation was cut short is found by name and source, and lives its whole time."""
        project, expiry = known(new.project, "the Neon project"), {"expires_at": _expiry(new.lifetime)}
        with Neon() as neon:
            found = next((branch for branch in neon.branches(project) if branch.name == new.name), None)
            if found is None:
                made, _ = neon.make_branch(project, _wanted(new) | expiry)
            elif _was_cut_short(neon, project, new.source, found):
                made = neon.change_branch(project, found.id, expiry)
            else:
                raise NameTakenError(
                    f"the project has a branch called {new.name} already ({found.id}), which this stack didn't make: "
                    f"give this one another key or name, or delete that one in Neon's console"
                )
        return made.id, Outputs(expires_at=made.expires_at)

    def stale(self, old: State[Inputs, Outputs], new: Inputs) -> bool:
        """Tell that somebody took its expiry away."""
        return not old.outputs.expires_at

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Rename the branch, and let an edited lifetime count from this moment."""
        changes = {"name": new.name} if old.inputs.name != new.name else {}
        if old.inputs.lifetime != new.lifetime or not old.outputs.expires_at:
            changes["expires_at"] = _expiry(new.lifetime)
        with Neon() as neon:
            changed = neon.change_branch(known(new.project), BranchId(old.id), changes)
        return Outputs(expires_at=changed.expires_at)

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs] | None:
        """Look at its name and expiry; a branch that has expired is gone, and the next `up` makes it again."""
        try:
            with Neon() as neon:
                found = neon.branch(known(old.inputs.project), BranchId(old.id))
        except NotFoundError:
            return None
        return replace(old, inputs=replace(old.inputs, name=found.name), outputs=Outputs(expires_at=found.expires_at))

    def delete(self, old: State[Inputs, Outputs]) -> None:
        """Delete the branch with its rows: it is temporary. Not while another stack's environment serves from it."""
        branch = BranchId(old.id)
        with Neon() as neon:
            if claims := _claims(neon, old.inputs, branch):
                stacks = ", ".join(sorted({claim.stack for claim in claims}))
                raise ClaimedError(f"{stacks} serves from branch {old.inputs.name} ({branch}): nothing was deleted")
            neon.delete_branch(known(old.inputs.project), branch)


def _claims(neon: Neon, inputs: Inputs, branch: BranchId) -> list[Claim]:
    """Return the claims of other stacks; none on a branch that is gone, or that has no compute to serve from."""
    with contextlib.suppress(NotFoundError):
        address = neon.address_of(known(inputs.project), branch, inputs.database, inputs.owner)
        return claims_on(neon, address) if address else []
    return []


def _wanted(new: Inputs) -> dict[str, str]:
    """Return the API's `branch` object, without the expiry."""
    source = new.source
    if source.parent is None:
        raise AssertionError("check refuses to make a branch whose source is missing")
    wanted: dict[str, str] = {"name": new.name, "parent_id": known(source.parent, "the source's id")}
    if source.timestamp:
        wanted["parent_timestamp"] = _text(datetime.fromtimestamp(source.timestamp, UTC))
    if source.lsn:
        wanted["parent_lsn"] = source.lsn
    if source.schema_only:
        wanted["init_source"] = _SCHEMA_ONLY
    return wanted


def _was_cut_short(neon: Neon, project: NeonProject, source: Source, found: Branch) -> bool:
    """Tell whether `found` is what a killed create of this resource left.

    It expires, it is a copy of the same source, and it has no compute: one that another stack uses has.
    """
    alike = found.init_source == _SCHEMA_ONLY if source.schema_only else found.parent_id == source.parent
    return bool(found.expires_at) and alike and not neon.endpoints(project, found.id)


def _expiry(lifetime: int) -> str:
    return _text(datetime.now(UTC) + timedelta(seconds=lifetime))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
