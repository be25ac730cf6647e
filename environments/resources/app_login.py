"""AppLogin: a branch's own credentials, so that a copy does not open with the passwords of what it was copied from.

Neon copies roles and passwords along with the rows. On its first connection this resource notes the branch's baseline
(the first transaction id that is the branch's own), then has Neon reset the owner's password, shuts out every other
login that came along, and makes the environment's app role. With `keep` the owner's password and the other logins stay:
a branch that was there before may serve an app through them.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from environments import log
from environments.clients.http import NotFoundError
from environments.clients.lazy_imports import psycopg
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, Connection, connected, fingerprint, with_login
from environments.database import app_role
from environments.database.fence import is_fenced, raise_fence
from environments.database.logins import close_login, may_log_in
from environments.database.marker import BranchMarker, read_claims, read_mark, write_mark
from environments.database.provenance import EVERY_ROW, lost
from environments.ids import RoleName
from environments.program.own import LegacyResource

_INPUTS = ("project", "branch", "endpoint", "database", "owner", "role", "generation", "keep", "fate")
_PASSWORD_BYTES = 32
_FRESH = timedelta(days=1)
"""So old may a branch be whose making was cut short; one without a mark that is older has lost it."""


class RotationError(Exception):
    """A rotation would take the login away that production runs with."""


class ClaimedError(Exception):
    """Another environment serves from this branch."""


class AppLoginProvider(ResourceProvider):
    """Makes a branch's credentials; making them again gives new ones to the same roles."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse a generation that skips one: it would change the password that the running deployment uses."""
        was, now = int(_olds.get("generation", news["generation"])), int(news["generation"])
        if abs(now - was) <= 1:
            return CheckResult(news, [])
        reason = f"credentials is {now} and was {was}: rotate one step at a time, so that what runs keeps its login"
        return CheckResult(news, [CheckFailure("", reason)])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the credentials; safe to repeat after a create that was cut short, or whose state was lost."""
        with Neon() as neon:
            address = address_of(props)
            with connected(neon.uri(address, pooled=False)) as connection:
                mark = read_mark(connection, props["roles"], address.branch) or BranchMarker(
                    app_role.baseline(connection) if _fresh(neon, props) else EVERY_ROW
                )
            if not props["keep"]:
                neon.reset_password(address.project, address.branch, address.owner)
            with connected(neon.uri(address, pooled=False)) as connection:
                shut_out = [] if props["keep"] else _shut_out(neon, connection, address, props["role"])
                kept = _as_guest(props)
                password = _make(connection, address, props["role"], kept)
                write_mark(connection, props["role"], address.branch, mark if kept else BranchMarker(mark.baseline))
            outs = props | _urls(neon, address, props["role"], password) | {"passwords": {props["role"]: password}}
        return CreateResult(props["branch"], outs | {"baseline": mark.baseline, "shut_out": shut_out})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another compute, database or role needs new URLs; nothing replaces the credentials of a branch."""
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in _INPUTS))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Write the URLs anew, with a new password in a new generation. The branch's own mark keeps its baseline."""
        address, role = address_of(_news), _news["role"]
        passwords, shut_out = dict(_olds["passwords"]), _olds["shut_out"]
        with Neon() as neon:
            with connected(neon.uri(address, pooled=False)) as connection:
                foreign = read_mark(connection, _news["roles"], address.branch) is None
            # A database without the mark was restored in place, perhaps from another branch, passwords and all.
            if not _news["keep"] and (foreign or _olds["keep"]):
                neon.reset_password(address.project, address.branch, address.owner)
                with connected(neon.uri(address, pooled=False)) as connection:
                    shut_out = _shut_out(neon, connection, address, role)
            with connected(neon.uri(address, pooled=False)) as connection:
                fenced = is_fenced(connection, _olds["role"])
                in_use = role != _olds["role"] and may_log_in(connection, role)
                if in_use and _news["generation"] > _olds["generation"]:
                    raise RotationError(
                        f"the app still runs with {role}, since generation {int(_olds['generation'])} never came to "
                        f"serve: bring that up first, or go back to generation {int(_olds['generation']) - 1}"
                    )
                # A login that is in use keeps its password: a rotation that failed can be taken back.
                kept = passwords.get(role) if in_use or role == _olds["role"] else None
                passwords[role] = _make(connection, address, role, kept)
                mark = read_mark(connection, [role], address.branch) if kept else None
                began = mark or read_mark(connection, _news["roles"], address.branch) or BranchMarker(EVERY_ROW)
                write_mark(connection, role, address.branch, mark or BranchMarker(began.baseline))
                if fenced:
                    raise_fence(connection, [role])
                if role != _olds["role"] and not _news["serves"]:
                    close_login(connection, _olds["role"])
            outs = _news | _urls(neon, address, role, passwords[role])
        return UpdateResult(outs | {"baseline": began.baseline, "shut_out": shut_out, "passwords": passwords})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Let the branch's computes and rows go, which follow; not if another environment serves from them."""
        if _props["fate"] not in ("delete", "expire"):
            return
        address = address_of(_props)
        try:
            with Neon() as neon, connected(neon.uri(address, pooled=False)) as connection:
                claims = read_claims(connection, address.branch)
        except NotFoundError:
            return
        if claims:
            stacks = ", ".join(sorted({claim.stack for claim in claims.values()}))
            raise ClaimedError(f"{stacks} serves from branch {address.branch}: put its line back, nothing was deleted")

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Keep what is known while the branch is there; a branch that is gone takes its credentials along.

        A restore in place can take the role or the mark away. Then the state says so, by a compute that isn't known,
        and the next update makes both again. Which rows are new can't be told there: from then on every row counts.
        """
        try:
            with Neon() as neon:
                neon.branch(props["project"], props["branch"])
        except NotFoundError:
            return ReadResult("", {})
        try:
            with Neon() as neon, connected(neon.uri(address_of(props), pooled=False)) as connection:
                missing = lost(connection, props)
        except UNREACHABLE as error:
            log.warn(f"whether {props['role']} can log in to {props['branch']} can't be told: {error}")
            return ReadResult(id_, props)
        if not missing:
            return ReadResult(id_, props)
        log.warn(
            f"{props['branch']} was restored in place: {missing}. The next pulumi up makes its login again with the "
            "password that it had; from then on every row on it counts as a user's"
        )
        return ReadResult(id_, props | {"endpoint": "", "baseline": EVERY_ROW})


class AppLogin(LegacyResource):
    """The app's own login on one branch. Deleting it leaves the roles, which go with the branch."""

    pooled_url: pulumi.Output[str]
    direct_url: pulumi.Output[str]
    fingerprint: pulumi.Output[str]
    baseline: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: pulumi.Input[str],
        branch: pulumi.Input[str],
        endpoint: pulumi.Input[str],
        database: str,
        owner: str,
        role: str,
        roles: tuple[str, str],
        generation: int,
        serves: bool,
        keep: bool,
        adopted: bool,
        fate: str,
        guests: pulumi.Input[dict[str, Any]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Make `role`, one of the two `roles`, on `branch`, reached over its compute `endpoint`.

        `owner` is the role that owns `database`. `keep` leaves its password and other logins alone. `adopted` says that
        the branch was there before: every row counts as a user's. `fate` is what becomes of it when it is dropped.
        `guests` holds the logins that this environment made before it owned the branch, which stay as they are.
        Another `generation` comes with another `role`, so that the login in use outlives the rotation; where nothing
        `serves` from the branch, the one before is closed at once.
        """
        props = {
            "project": project,
            "branch": branch,
            "endpoint": endpoint,
            "database": database,
            "owner": owner,
            "role": role,
            "roles": list(roles),
            "generation": generation,
            "serves": serves,
            "keep": keep,
            "adopted": adopted,
            "fate": fate,
            "guests": guests,
            "pooled_url": None,
            "direct_url": None,
            "fingerprint": None,
            "baseline": None,
            "shut_out": None,
            "passwords": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["pooled_url", "direct_url", "passwords", "guests"])
        super().__init__(AppLoginProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def address_of(props: dict[str, Any]) -> Address:
    """Return where the database of an AppLogin' inputs or outputs is."""
    return Address(*(props[key] for key in ("project", "branch", "endpoint", "database", "owner")))


def _make(connection: Connection, address: Address, role: str, password: str | None = None) -> str:
    password = password or secrets.token_urlsafe(_PASSWORD_BYTES)
    app_role.make_role(connection, role, password, address.owner)
    app_role.grant_rows(connection, role, address.database, address.owner)
    return password


def _fresh(neon: Neon, props: dict[str, Any]) -> bool:
    """Tell whether the branch holds no row of this environment's users yet.

    It was made for it, and not long ago; or it is another stack's, and this environment comes to it as a guest.
    """
    if props.get("guest"):
        return True
    created = neon.branch(props["project"], props["branch"]).created_at
    return not props["adopted"] and datetime.now(UTC) - created < _FRESH


def _as_guest(props: dict[str, Any]) -> str | None:
    """Return the password that this environment's role has on the branch since it was a guest there, or None."""
    login = props["guests"].get(props["branch"]) or {}
    password = (login.get("passwords") or {}).get(props["role"])
    return str(password) if password else None


def _shut_out(neon: Neon, connection: Connection, address: Address, role: str) -> list[str]:
    """Close every login that came with the copy, by SQL or by a password that nobody knows; claimed ones stay."""
    claimed = read_claims(connection, address.branch)
    names = [name for name in app_role.other_logins(connection, address.owner, role) if name not in claimed]
    for name in names:
        try:
            app_role.forbid_login(connection, name)
        except psycopg.errors.InsufficientPrivilege:
            neon.reset_password(address.project, address.branch, RoleName(name))
    return names


def _urls(neon: Neon, address: Address, role: str, password: str) -> dict[str, str]:
    pooled, direct = (with_login(neon.uri(address, pooled=pooled), role, password) for pooled in (True, False))
    return {"pooled_url": pooled, "direct_url": direct, "fingerprint": fingerprint(direct)}
