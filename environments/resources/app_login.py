"""AppLogin: a branch's own credentials, so that a copy does not open with the passwords of what it was copied from.

Neon copies roles and passwords along with the rows. On its first connection this resource notes the branch's baseline
(the first transaction id that is the branch's own), then has Neon reset the owner's password, shuts out every other
login that came along, and makes the environment's app role. With `keep_logins` the owner's password and the other
logins stay: a branch that existed before may serve an app through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from environments import log
from environments.branches.deleted import still_there
from environments.branches.dropped import KeptError, kept_refusal
from environments.branches.shareable import claims_on
from environments.clients.http import NotFoundError
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, connected
from environments.database.login import (
    KeptLogin,
    Login,
    LoginSpec,
    make_login,
    marker_of,
    renamed_refusal,
    renew_login,
)
from environments.database.logins import shut_out_others
from environments.database.marker import ClaimedError, read_marker
from environments.database.provenance import EVERY_ROW, missing_login
from environments.ids import BranchId, BranchKey, DeletionPolicy, Fingerprint, RoleName, Transaction
from environments.props import UNKNOWN_VALUE, Secret, Unknown, Unwatched, known
from environments.resources.typed import Checked, State, Typed

_RECENT: Final = timedelta(days=1)
"""So old may a branch be whose making was cut short; one without a marker that is older has lost its marker."""

_NO_KEY: Final = BranchKey("")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The login `role`, one of the two `roles`, on the branch at `address`.

    Another `generation` comes with another `role`, so that the login in use outlives the rotation; where nothing
    `serves` from the branch, the one before is closed at once. `keep_logins` leaves the owner's password and the other
    logins alone. `adopted` says that the branch existed before: every row counts as a user's. `external_logins` are
    those that the environment made on branches which another stack owned then, and which it may own by now. `key` is
    what the stack file calls the branch; the state of an earlier version doesn't say it.
    """

    address: Address | Unknown
    role: RoleName
    roles: Unwatched[tuple[RoleName, RoleName]]
    generation: int
    serves: Unwatched[bool]
    keep_logins: bool
    adopted: Unwatched[bool]
    deletion: DeletionPolicy
    external_logins: Unwatched[Mapping[BranchId, KeptLogin] | Unknown]
    key: Unwatched[BranchKey] = _NO_KEY


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The login's URLs, from which transaction on rows are users', each role's password, and the logins shut out.

    `missing` says what a restore in place took from the login; it is empty while the login is whole.
    """

    pooled_url: Secret[str]
    direct_url: Secret[str]
    fingerprint: Fingerprint
    baseline: Transaction
    passwords: Secret[Mapping[RoleName, str]]
    shut_out: tuple[RoleName, ...]
    missing: str = ""


class AppLogin(Typed[Inputs, Outputs]):
    """Makes a branch's credentials. Deleting it leaves the roles, which go with the branch."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Refuse a generation that skips one: it would change the password that the running deployment uses.

        Refuse other names of the roles too: they follow from the environment's name, which never changes.
        """
        was, now = old.generation if old else new.generation, new.generation
        if old and set(old.roles) != set(new.roles):
            return Checked.of(new, renamed_refusal(old.roles, new.roles))
        if abs(now - was) <= 1:
            return Checked(new)
        refusal = f"credentials was {was} and is now {now}: rotate one step at a time, so that the app keeps its login"
        return Checked.of(new, refusal)

    def stale(self, old: State[Inputs, Outputs], new: Inputs) -> bool:
        """Tell whether a restore in place took something from the login."""
        return bool(old.outputs.missing)

    def planned(self, old: State[Inputs, Outputs] | None, new: Inputs) -> dict[str, Any]:
        """Return the outputs as they are if the login stays the same: a new deletion policy, say, changes no URL."""
        if old is None or (old.inputs.address, old.inputs.role) != (new.address, new.role):
            return super().planned(old, new)
        return self.encoded(replace(old.outputs, missing="")) | {"shutOut": UNKNOWN_VALUE}

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Make the credentials; safe to repeat after a create that was cut short, or whose state was lost."""
        wanted = _spec(new)
        branch = wanted.address.branch
        earlier = known(new.external_logins, "the environment's logins on branches of other stacks").get(branch)
        with Neon() as neon:
            marker = marker_of(neon, wanted, is_new=_is_new(neon, new, wanted.address))
            shut_out = () if new.keep_logins else shut_out_others(neon, wanted.address, new.role)
            return branch, _outputs(make_login(neon, wanted, marker, earlier), shut_out)

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Write the URLs again, with a new password in a new generation. The branch's own marker keeps its baseline."""
        wanted = _spec(new)
        was = KeptLogin(role=old.inputs.role, generation=old.inputs.generation, passwords=old.outputs.passwords)
        shut_out = old.outputs.shut_out
        with Neon() as neon:
            # A database without the marker was restored in place, perhaps from another branch, with its passwords.
            if not new.keep_logins and (old.inputs.keep_logins or _has_no_marker(neon, wanted)):
                shut_out = shut_out_others(neon, wanted.address, new.role)
            return _outputs(renew_login(neon, wanted, was, serves=new.serves), shut_out)

    def delete(self, old: State[Inputs, Outputs]) -> None:
        """Let the branch's computes and rows go, which follow.

        Not if the branch is neither retired nor released, nor if another environment serves from it. The engine deletes
        this before it deletes anything else of the branch.
        """
        address, policy = known(old.inputs.address), old.inputs.deletion
        if policy == "retain" and (found := still_there(address.project, address.branch)):
            raise KeptError(kept_refusal(old.inputs.key or BranchKey(found.name)))
        if policy not in ("delete", "expire"):
            return
        try:
            with Neon() as neon:
                claims = claims_on(neon, address)
        except NotFoundError:
            return
        if claims:
            stacks = ", ".join(sorted({claim.stack for claim in claims}))
            raise ClaimedError(
                f"{stacks} serves from branch {address.branch}. Nothing was deleted: put the branch's line back"
            )

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs] | None:
        """Keep what is known while the branch exists; a branch that is gone takes its credentials along.

        A restore in place can take the role or the marker away. Then the state says so, and the next update makes both
        again. Which rows are new can't be known on such a branch: from then on every row counts.
        """
        address, role = known(old.inputs.address), old.inputs.role
        if still_there(address.project, address.branch) is None:
            return None
        try:
            with Neon() as neon, connected(neon.uri(address, pooled=False)) as connection:
                missing = missing_login(connection, address.branch, role, old.inputs.roles, old.outputs.baseline)
        except UNREACHABLE as error:
            log.warn(f"can't check whether {role} can log in to {address.branch}: {error}")
            return old
        if not missing:
            return old
        log.warn(
            f"{address.branch} was restored in place: {missing}. The next pulumi up makes its login again with the "
            "same password; from then on every row on the branch counts as a user's"
        )
        return replace(old, outputs=replace(old.outputs, baseline=EVERY_ROW, missing=missing))


def _spec(new: Inputs) -> LoginSpec:
    address = known(new.address, "the branch's database")
    return LoginSpec(address=address, role=new.role, roles=new.roles, generation=new.generation)


def _is_new(neon: Neon, new: Inputs, address: Address) -> bool:
    """Tell whether the branch was made for this environment, and not long ago: no user has written to it."""
    created = neon.branch(address.project, address.branch).created_at
    return not new.adopted and datetime.now(UTC) - created < _RECENT


def _has_no_marker(neon: Neon, wanted: LoginSpec) -> bool:
    with connected(neon.uri(wanted.address, pooled=False)) as connection:
        return read_marker(connection, wanted.roles, wanted.address.branch) is None


def _outputs(login: Login, shut_out: tuple[RoleName, ...]) -> Outputs:
    return Outputs(
        pooled_url=login.pooled_url,
        direct_url=login.direct_url,
        fingerprint=login.fingerprint,
        baseline=login.baseline,
        passwords=login.kept.passwords,
        shut_out=shut_out,
    )
