"""The app's own login on a branch: its role with a password, its URLs, and the marker from which its rows count.

AppLogin makes one on each branch that the environment owns, ExternalLogin on branches that another stack owns. A login
that is made again has the password that it had, so that the deployment which uses it needs no build.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from environments.clients.neon import Address, Neon
from environments.clients.postgres import Connection, connected, fingerprint, with_login
from environments.database.app_role import grant_rows, make_role
from environments.database.fence import is_fenced, raise_fence
from environments.database.logins import close_login, may_log_in
from environments.database.marker import BranchMarker, read_marker, write_marker
from environments.database.provenance import EVERY_ROW, baseline
from environments.errors import RefusedError
from environments.ids import BranchId, Fingerprint, RoleName, Transaction
from environments.props import Secret

_PASSWORD_BYTES: Final = 32
_FIRST: Final = 1
"""The first generation: before it no other role can have served."""


class RotationError(RefusedError):
    """A rotation would take the login away that the app uses."""


@dataclass(frozen=True, kw_only=True)
class LoginSpec:
    """The login that is wanted: of the two `roles`, which take turns, `role` is the one of this `generation`."""

    address: Address
    role: RoleName
    roles: tuple[RoleName, RoleName]
    generation: int


@dataclass(frozen=True, kw_only=True)
class KeptLogin:
    """What is remembered of a login so that the same one can be made again; a role's password outlives its turn."""

    role: RoleName
    generation: int
    passwords: Secret[Mapping[RoleName, str]]


@dataclass(frozen=True, kw_only=True)
class Login:
    """A login as it was made: its URLs with the password in them, and from which transaction on rows are users'."""

    pooled_url: str
    direct_url: str
    fingerprint: Fingerprint
    baseline: Transaction
    kept: KeptLogin


def renamed_refusal(was: Collection[RoleName], now: Collection[RoleName]) -> str:
    """Return why an environment's roles can't get other names, with the line that keeps the ones that they have."""
    return (
        f"the environment's logins are {' and '.join(sorted(was))}, and would be {' and '.join(sorted(now))}: they are "
        "called after the environment, which never changes its name. Nothing was changed. If the stack was renamed, "
        "write environments:environment: <the name that the stack had> into its stack file"
    )


def marker_of(neon: Neon, wanted: LoginSpec, *, is_new: bool) -> BranchMarker:
    """Return the branch's marker; without one, a branch that `is_new` begins now, and on any other every row counts."""
    branch = wanted.address.branch
    with connected(neon.uri(wanted.address, pooled=False)) as connection:
        found = read_marker(connection, wanted.roles, branch)
        return found or BranchMarker(branch, baseline(connection) if is_new else EVERY_ROW)


def make_login(neon: Neon, wanted: LoginSpec, marker: BranchMarker, earlier: KeptLogin | None = None) -> Login:
    """Make the login for the first time, or after a make that was cut short, or whose state was lost.

    `earlier` is the environment's login on the branch from when another stack owned that: its password stays, and so
    does what the marker says of the deployment that serves.
    """
    password = earlier.passwords.get(wanted.role) if earlier else None
    marker = marker if password else BranchMarker(marker.branch, marker.baseline)
    with connected(neon.uri(wanted.address, pooled=False)) as connection:
        password = _give_role(connection, wanted, password)
        write_marker(connection, wanted.role, marker)
    return _login(neon, wanted, marker, {wanted.role: password})


def renew_login(neon: Neon, wanted: LoginSpec, was: KeptLogin, *, serves: bool) -> Login:
    """Make the login again, with the password that its role had, or with a new one in a new generation.

    The role that `was` in use stays open for the app that runs; where nothing `serves` from the branch it is closed.
    Raises RotationError if a new generation would change the password of a role that the app uses.
    """
    role, branch = wanted.role, wanted.address.branch
    with connected(neon.uri(wanted.address, pooled=False)) as connection:
        fenced = is_fenced(connection, was.role)
        in_use = role != was.role and may_log_in(connection, role)
        if in_use and wanted.generation > was.generation > _FIRST and _has_served(connection, role, branch):
            raise RotationError(
                f"the app still uses {role}, since generation {was.generation} of its login never served: bring "
                f"generation {was.generation} up first, or set credentials back to {was.generation - 1}"
            )
        # A login that is in use keeps its password, so that a rotation that failed can be taken back.
        kept = was.passwords.get(role) if in_use or role == was.role else None
        password = _give_role(connection, wanted, kept)
        own = read_marker(connection, [role], branch) if kept else None
        found = own or read_marker(connection, wanted.roles, branch)
        marker = own or BranchMarker(branch, found.baseline if found else EVERY_ROW)
        write_marker(connection, role, marker)
        if fenced:
            raise_fence(connection, [role])
        if role != was.role and not serves:
            close_login(connection, was.role)
    return _login(neon, wanted, marker, {**was.passwords, role: password})


def _has_served(connection: Connection, role: RoleName, branch: BranchId) -> bool:
    """Tell whether an app served with this role; one whose rotation failed, and was taken back, never did."""
    found = read_marker(connection, [role], branch)
    return found is None or found.served_by is not None


def _give_role(connection: Connection, wanted: LoginSpec, password: str | None) -> str:
    """Give the role `password`, or a new one, and the right to read and write rows; return its password."""
    address, role = wanted.address, wanted.role
    password = password or secrets.token_urlsafe(_PASSWORD_BYTES)
    make_role(connection, role, password, address.owner)
    grant_rows(connection, role, address.database, address.owner)
    return password


def _login(neon: Neon, wanted: LoginSpec, marker: BranchMarker, passwords: Mapping[RoleName, str]) -> Login:
    role, password = wanted.role, passwords[wanted.role]
    pooled, direct = (with_login(neon.uri(wanted.address, pooled=each), role, password) for each in (True, False))
    return Login(
        pooled_url=pooled,
        direct_url=direct,
        fingerprint=fingerprint(direct),
        baseline=marker.baseline,
        kept=KeptLogin(role=role, generation=wanted.generation, passwords=passwords),
    )
