"""ExternalLogin without an engine: which branch is meant, what it must have, and what this environment does there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from environments.clients.postgres import password_of
from environments.database.marker import BranchMarker, Claim, read_claims, read_marker, write_marker
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeploymentId,
    NeonProject,
    RoleName,
    StackName,
)
from environments.props import UNKNOWN_VALUE, plain
from environments.resources.external_login import ExternalBranch, ExternalLogin, Inputs, Outputs
from environments.resources.typed import State
from tests.localcloud.neon.hosting import Host
from tests.resources.clones import Clone, clone, connect_clients, roles_of, user_at
from tests.resources.computes import OWNER, Database, Session, run

LOGIN = ExternalLogin()
ROLES = RoleName("app_1"), RoleName("app_2")
DEVS = ExternalBranch(stack=StackName("dev"), name=BranchKey("dev"), exported=BranchId("br-1"))
OWN = Inputs(
    project=NeonProject("p"),
    serve=None,
    may_swap=True,
    needs=Claim(StackName("prod"), 0.25, 1, 300, protected=False),
    database=DatabaseName("shop"),
    owner=OWNER,
    role=ROLES[0],
    roles=ROLES,
    generation=1,
)
SETTLED = replace(OWN, serve=DEVS, branch=BranchId("br-1"), ids={DEVS.key: BranchId("br-1")})


def refusal(old: Inputs | None, new: Inputs) -> str:
    return "; ".join(LOGIN.check(old, new).refusals)


def test_a_name_that_no_stack_exports_is_refused_until_it_was_settled_once() -> None:
    unexported = replace(OWN, serve=replace(DEVS, exported=None))
    assert "which exports no such branch: run pulumi up -s dev" in refusal(OWN, unexported)
    checked = LOGIN.check(SETTLED, unexported)
    assert checked.refusals == ()
    assert checked.inputs.branch == "br-1"


def test_a_pointer_does_not_follow_a_name_that_another_branch_has_now() -> None:
    moved = replace(OWN, serve=replace(DEVS, exported=BranchId("br-2")))
    assert "A pointer never follows a name by itself" in refusal(SETTLED, moved)


def test_a_strategy_that_does_not_swap_leads_to_no_other_stacks_branch() -> None:
    assert "clone it under branches and serve the clone" in refusal(OWN, replace(OWN, serve=DEVS, may_swap=False))
    assert refusal(SETTLED, replace(OWN, serve=DEVS, may_swap=False)) == "", "it leads there already"


def test_an_environment_that_serves_a_branch_of_its_own_keeps_what_is_remembered() -> None:
    rotated = replace(OWN, generation=2, role=ROLES[1])
    checked = LOGIN.check(SETTLED, rotated)
    assert checked.inputs == SETTLED
    assert LOGIN.check(None, OWN).inputs == OWN
    _, outputs = LOGIN.create(OWN)
    assert (outputs.branch, outputs.direct_url, outputs.visited, outputs.kept) == ("", "", {}, {})


def test_a_preview_knows_the_branch_before_the_login_is_made() -> None:
    planned = LOGIN.planned(None, SETTLED)
    assert planned["branch"] == "br-1"
    assert plain(planned["directUrl"]) == UNKNOWN_VALUE
    assert LOGIN.planned(None, OWN)["branch"] == ""


# What follows asks a real Neon over real Postgres.


@pytest.fixture
def devs(database: Database, owner: Session, host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """A branch of another stack, whose app has a login."""
    connect_clients(host, monkeypatch)
    run(owner, "CREATE TABLE t (n int)")
    database.make_app(owner)
    made = clone(database)
    yield made
    if made.branch in [branch["id"] for branch in host.call("GET", f"{made.project.path}/branches")["branches"]]:
        made.delete()


def inputs_of(database: Database, devs: Clone, **edits: Any) -> Inputs:
    roles = roles_of(database)
    serve = ExternalBranch(stack=StackName("dev"), name=BranchKey("dev"), exported=devs.branch)
    new = replace(OWN, project=devs.address.project, serve=serve, database=database.name, role=roles[0], roles=roles)
    return replace(new, **edits)


def made(inputs: Inputs) -> State[Inputs, Outputs]:
    checked = LOGIN.check(None, inputs)
    assert checked.refusals == ()
    id_, outputs = LOGIN.create(checked.inputs)
    return State(id_, checked.inputs, outputs)


def updated(state: State[Inputs, Outputs], inputs: Inputs) -> State[Inputs, Outputs]:
    checked = LOGIN.check(state.inputs, inputs)
    assert checked.refusals == ()
    return replace(state, inputs=checked.inputs, outputs=LOGIN.update(state, checked.inputs))


@pytest.mark.slow
def test_a_branch_that_is_too_small_is_refused_with_the_edit_that_helps(database: Database, devs: Clone) -> None:
    large = Claim(StackName("prod"), 1, 4, -1, protected=True)
    said = refusal(None, inputs_of(database, devs, needs=large))
    assert "branch dev of stack dev can't carry prod: min_cu 0.25, needed at least 1" in said
    assert "write dev: {compute: {min_cu: 1, max_cu: 4, suspend: never}, protected: true} under branches" in said


@pytest.mark.slow
def test_nothing_of_the_other_stacks_is_touched_and_the_way_back_has_the_same_login(
    database: Database, devs: Clone
) -> None:
    before = devs.project.uri(devs.branch)
    first = made(inputs_of(database, devs))
    outputs = first.outputs
    assert user_at(outputs.direct_url) == user_at(outputs.pooled_url) == first.inputs.role
    assert password_of(devs.project.uri(devs.branch)) == password_of(before)
    assert user_at(before)
    assert outputs.branch == devs.branch
    place = outputs.visited[devs.branch]
    assert (place.address, place.key) == (devs.address, "dev/dev")
    assert (place.role, place.baseline, place.claim) == (first.inputs.role, outputs.baseline, first.inputs.needs)
    with devs.owner() as session:
        assert read_marker(session, first.inputs.roles, devs.branch) == BranchMarker(devs.branch, outputs.baseline)

    other = clone(database)
    devs_2 = ExternalBranch(stack=StackName("dev"), name=BranchKey("dev-2"), exported=other.branch)
    away = updated(first, replace(inputs_of(database, devs), serve=devs_2))
    assert set(away.outputs.visited) == set(away.outputs.kept) == {devs.branch, other.branch}
    noted = BranchMarker(devs.branch, outputs.baseline, DeploymentId("dpl_1"))
    with devs.owner() as session:
        write_marker(session, first.inputs.role, noted)
    back = updated(away, inputs_of(database, devs))
    assert back.outputs.direct_url == outputs.direct_url
    assert back.outputs.baseline == outputs.baseline
    with devs.owner() as session:
        assert read_marker(session, first.inputs.roles, devs.branch) == noted

    other.delete()
    found = LOGIN.read(back)
    assert set(found.outputs.visited) == set(found.outputs.kept) == {devs.branch}
    assert found.inputs == back.inputs


@pytest.mark.slow
def test_an_environment_that_goes_takes_its_claim_back_and_closes_its_login(
    database: Database, devs: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    state = made(inputs_of(database, devs))
    marker = BranchMarker(devs.branch, state.outputs.baseline, claim=state.inputs.needs)
    with devs.owner() as session:
        write_marker(session, state.inputs.role, marker)
    LOGIN.delete(state)
    with devs.owner() as session:
        assert read_claims(session, devs.branch) == {}
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        user_at(state.outputs.direct_url)
    devs.project.host.call("DELETE", f"{devs.project.path}/endpoints/{devs.address.endpoint}")
    LOGIN.delete(state)
    assert "may still hold this stack's claim" in capsys.readouterr().err
