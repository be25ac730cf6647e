"""AppLogin without an engine: made once, made again, rotated, looked at, and let go of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from environments.branches.dropped import KeptError
from environments.clients.http import NotFoundError
from environments.clients.neon import Address, Neon
from environments.clients.postgres import password_of
from environments.database.app_role import make_role
from environments.database.fence import is_fenced, raise_fence
from environments.database.login import KeptLogin, RotationError
from environments.database.logins import OpenLoginError
from environments.database.marker import BranchMarker, Claim, ClaimedError, read_marker, write_marker
from environments.database.platform_roles import platform_roles
from environments.database.provenance import EVERY_ROW
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeploymentId,
    EndpointId,
    Fingerprint,
    NeonProject,
    RoleName,
    StackName,
    Transaction,
)
from environments.props import UNKNOWN, UNKNOWN_VALUE, plain
from environments.resources.app_login import AppLogin, Inputs, Outputs
from environments.resources.typed import State
from tests.localcloud.neon.hosting import Host
from tests.resources.clones import Clone, clone, connect_clients, roles_of, user_at
from tests.resources.computes import OWNER, PASSWORD, Database, Session, run

LOGIN = AppLogin()
NOWHERE = Address(NeonProject("p"), BranchId("br-1"), EndpointId("ep-1"), DatabaseName("shop"), RoleName("owner"))
ROLES = RoleName("app_1"), RoleName("app_2")
PLAIN = Inputs(
    address=NOWHERE,
    role=ROLES[0],
    roles=ROLES,
    generation=1,
    serves=True,
    keep_logins=False,
    adopted=False,
    deletion="retain",
    external_logins={},
)
MADE = Outputs(
    pooled_url="postgresql://app_1:a-password@pooler/shop",
    direct_url="postgresql://app_1:a-password@host/shop",
    fingerprint=Fingerprint("f"),
    baseline=Transaction("7"),
    passwords={ROLES[0]: "a-password"},
    shut_out=(),
)


def test_a_rotation_that_skips_a_generation_is_refused() -> None:
    assert LOGIN.check(PLAIN, replace(PLAIN, generation=2, role=ROLES[1])).refusals == ()
    (refusal,) = LOGIN.check(PLAIN, replace(PLAIN, generation=3)).refusals
    assert "credentials was 1 and is now 3: rotate one step at a time" in refusal
    assert LOGIN.check(None, replace(PLAIN, generation=3)).refusals == (), "the first one is any"


def test_a_preview_knows_the_urls_of_a_login_that_stays_and_of_no_other() -> None:
    old = State("br-1", PLAIN, MADE)
    kept = LOGIN.planned(old, replace(PLAIN, deletion="delete", serves=False))
    assert plain(kept["directUrl"]) == MADE.direct_url
    assert kept["fingerprint"] == "f"
    for new in (
        replace(PLAIN, role=ROLES[1], generation=2),
        replace(PLAIN, address=replace(NOWHERE, endpoint=EndpointId("ep-2"))),
        replace(PLAIN, address=UNKNOWN),
    ):
        assert plain(LOGIN.planned(old, new)["directUrl"]) == UNKNOWN_VALUE
    assert plain(LOGIN.planned(None, PLAIN)["directUrl"]) == UNKNOWN_VALUE


def test_its_state_holds_urls_and_passwords_as_secrets_alone() -> None:
    encoded = LOGIN.encoded(MADE)
    assert "a-password" in str(encoded)
    shown = {key: value for key, value in encoded.items() if value == plain(value)}
    assert "a-password" not in str(shown)
    earlier = {BranchId("br-1"): KeptLogin(role=ROLES[0], generation=1, passwords={ROLES[0]: "a-password"})}
    given = LOGIN.encoded(replace(PLAIN, external_logins=earlier))["externalLogins"]["br-1"]
    assert plain(given["passwords"]) == {"app_1": "a-password"} != given["passwords"]


# What follows asks a real Neon over real Postgres.


@pytest.fixture
def served(database: Database, owner: Session, host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """A clone of a branch with a table and somebody's login."""
    connect_clients(host, monkeypatch)
    run(owner, f'CREATE TABLE t (n int); CREATE ROLE "{database.role}_of_dev" LOGIN')
    made = clone(database)
    yield made
    if made.branch in [branch["id"] for branch in host.call("GET", f"{made.project.path}/branches")["branches"]]:
        made.delete()


def inputs_of(database: Database, served: Clone, **edits: Any) -> Inputs:
    roles = roles_of(database)
    return replace(PLAIN, address=served.address, role=roles[0], roles=roles, **edits)


def rotated(inputs: Inputs, generation: int) -> Inputs:
    return replace(inputs, generation=generation, role=inputs.roles[(generation - 1) % 2])


def made(inputs: Inputs) -> State[Inputs, Outputs]:
    id_, outputs = LOGIN.create(inputs)
    return State(id_, inputs, outputs)


def updated(state: State[Inputs, Outputs], inputs: Inputs) -> State[Inputs, Outputs]:
    return replace(state, inputs=inputs, outputs=LOGIN.update(state, inputs))


def marker_on(served: Clone, inputs: Inputs) -> BranchMarker | None:
    with served.owner() as session:
        return read_marker(session, inputs.roles, served.branch)


@pytest.mark.slow
def test_a_login_is_the_branchs_own_and_keeps_its_baseline_when_it_is_made_again(
    database: Database, served: Clone
) -> None:
    inputs, before = inputs_of(database, served), served.project.uri(served.branch)
    first = made(inputs)
    assert first.id == served.branch
    assert user_at(first.outputs.direct_url) == user_at(first.outputs.pooled_url) == inputs.role
    assert first.outputs.shut_out == (f"{database.role}_of_dev",)
    assert password_of(served.project.uri(served.branch)) != password_of(before)
    assert password_of(served.project.uri()) == password_of(before), "the source keeps its owner's password"
    assert marker_on(served, inputs) == BranchMarker(served.branch, first.outputs.baseline)
    again = made(inputs)
    assert again.outputs.baseline == first.outputs.baseline
    assert again.outputs.direct_url != first.outputs.direct_url, "its state was lost, and its password with it"


@pytest.mark.slow
def test_an_adopted_branch_keeps_its_logins_if_asked_and_each_of_its_rows_counts(
    database: Database, served: Clone
) -> None:
    before = served.project.uri(served.branch)
    found = made(inputs_of(database, served, keep_logins=True, adopted=True)).outputs
    assert found.shut_out == ()
    assert found.baseline == EVERY_ROW
    assert user_at(before)


@pytest.mark.slow
def test_a_login_from_when_another_stack_owned_the_branch_keeps_its_password_and_what_is_noted(
    database: Database, served: Clone
) -> None:
    guest = made(inputs_of(database, served, keep_logins=True))
    inputs = guest.inputs
    noted = BranchMarker(
        served.branch,
        guest.outputs.baseline,
        DeploymentId("dpl_1"),
        Claim(StackName("prod"), 1, 4, -1, protected=True),
    )
    with served.owner() as session:
        write_marker(session, inputs.role, noted)
    kept = KeptLogin(role=inputs.role, generation=1, passwords=guest.outputs.passwords)
    owned = made(replace(inputs, keep_logins=False, external_logins={served.branch: kept}))
    assert owned.outputs.direct_url == guest.outputs.direct_url
    assert marker_on(served, inputs) == noted
    assert made(replace(inputs, external_logins={})).outputs.direct_url != guest.outputs.direct_url


@pytest.mark.slow
def test_a_rotation_leaves_the_login_in_use_open_and_can_be_taken_back(database: Database, served: Clone) -> None:
    first = made(inputs_of(database, served))
    second = updated(first, rotated(first.inputs, 2))
    assert user_at(second.outputs.direct_url) == first.inputs.roles[1]
    assert user_at(first.outputs.direct_url) == first.inputs.role
    assert second.outputs.baseline == first.outputs.baseline
    with served.owner() as session:
        marker = BranchMarker(served.branch, first.outputs.baseline, DeploymentId("dpl_1"))
        write_marker(session, first.inputs.role, marker)
    with pytest.raises(RotationError, match=r"generation 2 of its login never served.*set credentials back to 1"):
        LOGIN.update(second, rotated(first.inputs, 3))
    back = updated(second, first.inputs)
    assert back.outputs.direct_url == first.outputs.direct_url
    again = updated(back, rotated(first.inputs, 2))
    assert again.outputs.direct_url == second.outputs.direct_url, "what never served can be tried again"
    third = updated(again, rotated(first.inputs, 1))
    assert user_at(third.outputs.direct_url) == first.inputs.role


@pytest.mark.slow
def test_a_rotation_closes_the_login_of_a_branch_that_does_not_serve(database: Database, served: Clone) -> None:
    first = made(inputs_of(database, served, serves=False))
    idle = updated(first, rotated(first.inputs, 2))
    assert user_at(idle.outputs.direct_url)
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        user_at(first.outputs.direct_url)


@pytest.mark.slow
def test_a_login_that_a_restore_took_away_is_noticed_and_made_again_with_its_password(
    database: Database, served: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    state = made(inputs_of(database, served))
    assert LOGIN.read(state) == state
    with served.owner() as session:
        run(session, f'COMMENT ON ROLE "{state.inputs.role}" IS NULL')
    found = LOGIN.read(state)
    assert found
    assert found.outputs.baseline == EVERY_ROW
    assert LOGIN.stale(found, found.inputs)
    assert "has no marker of this branch" in capsys.readouterr().err

    served.restore(served.project.root)
    found = LOGIN.read(state)
    assert found
    assert LOGIN.stale(found, found.inputs)
    assert f"the role {state.inputs.role} doesn't exist" in capsys.readouterr().err
    mended = updated(found, found.inputs)
    assert mended.outputs.direct_url == state.outputs.direct_url
    assert user_at(mended.outputs.direct_url) == state.inputs.role
    assert mended.outputs.baseline == EVERY_ROW
    assert not LOGIN.stale(mended, mended.inputs)
    assert LOGIN.read(mended) == mended


@pytest.mark.slow
def test_a_refresh_keeps_the_credentials_of_a_branch_that_does_not_answer_and_drops_those_of_one_that_is_gone(
    database: Database, served: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    state = made(inputs_of(database, served))
    served.project.host.call("DELETE", f"{served.project.path}/endpoints/{served.address.endpoint}")
    assert LOGIN.read(state) == state
    assert "can't check whether" in capsys.readouterr().err
    served.delete()
    assert LOGIN.read(state) is None
    LOGIN.delete(replace(state, inputs=replace(state.inputs, deletion="delete")))


@pytest.mark.slow
def test_a_branch_that_another_stack_serves_from_is_not_let_go_of(database: Database, served: Clone) -> None:
    state = made(inputs_of(database, served, deletion="delete"))
    LOGIN.delete(state)
    with served.owner() as session:
        run(session, f'CREATE ROLE "{database.role}_other"')
        claim = Claim(StackName("other"), 0.25, 1, 300, protected=False)
        marker = BranchMarker(served.branch, EVERY_ROW, claim=claim)
        write_marker(session, RoleName(f"{database.role}_other"), marker)
    with pytest.raises(ClaimedError, match=f"other serves from branch {served.branch}. Nothing was deleted"):
        LOGIN.delete(state)
    LOGIN.delete(replace(state, inputs=replace(state.inputs, deletion="orphan")))


@pytest.mark.slow
def test_a_branch_that_nobody_let_go_of_is_kept_until_neon_has_lost_it(database: Database, served: Clone) -> None:
    state = made(inputs_of(database, served, key=BranchKey("prod-v1")))
    with pytest.raises(KeptError, match="branch prod-v1 has neither retire: true nor release: true, so it is not"):
        LOGIN.delete(state)
    earlier = replace(state, inputs=replace(state.inputs, key=BranchKey("")))
    name = served.project.host.call("GET", f"{served.project.path}/branches/{served.branch}")["branch"]["name"]
    with pytest.raises(KeptError, match=f"branch {name} has neither"):
        LOGIN.delete(earlier)
    assert user_at(state.outputs.direct_url) == state.inputs.role, "nothing of it was deleted"
    served.delete()
    LOGIN.delete(state)


@pytest.mark.slow
def test_a_fenced_login_stays_fenced_when_it_is_rotated(database: Database, served: Clone) -> None:
    first = made(inputs_of(database, served))
    with served.owner() as session:
        raise_fence(session, [first.inputs.role])
        updated(first, rotated(first.inputs, 2))
        assert is_fenced(session, first.inputs.roles[1])


PLATFORMS = ["authenticator", "anonymous", "web_access", "neon_admin", "pgbouncer"]
"""Names that roles of Neon's have or could have: here they are dev's own logins."""


@contextmanager
def login_of_dev(database: Database, name: str, *, by_api: bool) -> Iterator[str]:
    """A login on the root branch; its password."""
    path = f"{database.project.path}/branches/{database.project.root}/roles"
    if by_api:
        made = database.project.host.call("POST", path, {"role": {"name": name}}, status=201)
        yield str(made["role"]["password"])
    else:
        with database.owner() as session:
            make_role(session, RoleName(name), PASSWORD, OWNER)
        yield PASSWORD
    database.project.host.call("DELETE", f"{path}/{name}")


@pytest.mark.slow
@pytest.mark.parametrize("by_api", [False, True], ids=["by SQL", "by the API"])
@pytest.mark.parametrize("name", PLATFORMS)
def test_a_login_is_closed_on_a_clone_whatever_it_is_called(
    database: Database, host: Host, monkeypatch: pytest.MonkeyPatch, name: str, *, by_api: bool
) -> None:
    connect_clients(host, monkeypatch)
    with login_of_dev(database, name, by_api=by_api) as password:
        served = clone(database)
        database.app(RoleName(name), password, branch=served.branch).close()
        assert name in made(inputs_of(database, served)).outputs.shut_out
        refusal = "password authentication failed" if by_api else "not permitted to log in"
        with pytest.raises(psycopg.OperationalError, match=refusal):
            database.app(RoleName(name), password, branch=served.branch)
        database.app(RoleName(name), password).close()
        served.delete()


@pytest.mark.slow
def test_the_platforms_own_roles_are_told_without_their_names(database: Database, served: Clone) -> None:
    roles = roles_of(database)
    with served.owner() as session, Neon() as neon:
        make_role(session, roles[0], PASSWORD, OWNER)
        listed = neon.roles(served.address.project, served.branch)
        assert roles[0] in {role.name for role in listed}
        found = platform_roles(session, listed)
        assert {"cloud_admin", "neon_superuser", "neon_service", "pg_monitor"} <= found
        assert not {OWNER, roles[0], f"{database.role}_of_dev"} & found
        noted = [replace(role, protected=True) if role.name == OWNER else role for role in listed]
        assert OWNER in platform_roles(session, noted), "Neon says itself which of its roles are its own"
        assert roles[0] not in platform_roles(session, []), "a role that a user made by SQL, if Neon lists none"


@pytest.mark.slow
def test_a_login_that_nobody_can_close_stops_the_update(
    database: Database, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_clients(host, monkeypatch)
    name, maker = RoleName(f"{database.role}_x"), RoleName(f"{database.role}_maker")
    with login_of_dev(database, maker, by_api=True) as password, database.app(maker, password) as session:
        make_role(session, name, PASSWORD, maker)
        served, listed = clone(database), Neon.roles
        # As if Neon had not heard of it: then its API resets no password.
        monkeypatch.setattr(Neon, "roles", lambda *of: [role for role in listed(*of) if role.name != name])
        monkeypatch.setattr(Neon, "reset_password", without(name, Neon.reset_password))
        with pytest.raises(OpenLoginError, match=f"{name} can log in to {served.branch}, and neither {OWNER} nor"):
            made(inputs_of(database, served))
        served.delete()
        run(session, f'DROP ROLE "{name}"')


def without(name: RoleName, reset: Callable[..., None]) -> Callable[..., None]:
    """Neon's reset of a password, that knows nothing of one role."""

    def done(neon: Neon, project: str, branch: str, role: RoleName) -> None:
        if role == name:
            raise NotFoundError("Neon", "POST", 404, "", "no such role")
        reset(neon, project, branch, role)

    return done
