"""Whether something that exists is what this stack made: asked of stand-ins for the two clients."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest

from environments.clients import neon, providers, vercel
from environments.clients.neon import Neon
from environments.clients.postgres import NotReadyError
from environments.clients.pulumi import NO_URN, Resource, Urn
from environments.clients.vercel import Vercel
from environments.commands.comparison.candidates import Candidate, Clouds, candidates
from environments.commands.recover import ours
from environments.commands.recover.attempts import Attempt, Attempts
from environments.commands.recover.ours import Judge, Judgement
from environments.ids import BranchId, DeploymentId, EndpointId, Lsn, NeonProject, StackName, VariableId, VercelProject
from environments.props import UNKNOWN_VALUE

BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
DURING = BEGAN + timedelta(seconds=20)
BEFORE = BEGAN - timedelta(hours=1)
PROJECT = "late-frost-1"
TRIED = Attempts((Attempt(BEGAN, BEGAN + timedelta(minutes=1)),), frozenset(), BEFORE)
COMPONENT = Urn("urn:pulumi:prod::shop::environments:neon:Branch::prod-v2")


def create(token: str, **inputs: Any) -> Resource:
    urn = Urn(f"urn:pulumi:prod::shop::environments:neon:Branch${token}::prod-v2")
    return Resource(urn, token, custom=True, parent=COMPONENT, provider=NO_URN, values=inputs)


BRANCH = create(providers.NEON_BRANCH, projectId=PROJECT, name="prod-v2", parentId="br-dev")
COMPUTE = create(providers.NEON_ENDPOINT, projectId=PROJECT, branchId="br-1", type="read_write")
VARIABLE = create(providers.VERCEL_VARIABLE, projectId="prj_1", key="DATABASE_URL", targets=["production"])
BESIDE = [
    create(providers.BRANCH_SOURCE, database="neondb", owner="neondb_owner"),
    create(providers.APP_LOGIN, roles=["app_prod_1", "app_prod_2"]),
]


def branch(parent: str = "br-dev", created: datetime = DURING, id_: str = "br-1") -> neon.Branch:
    return neon.Branch(
        BranchId(id_), "prod-v2", created, BranchId(parent), Lsn(""), protected=False, expires_at="", init_source=""
    )


def compute(created: datetime, type_: str = "read_write") -> neon.Endpoint:
    return neon.Endpoint(
        EndpointId("ep-1"),
        type_,
        disabled=False,
        min_cu=1,
        max_cu=1,
        suspend_seconds=300,
        branch_id=BranchId("br-1"),
        created_at=created,
    )


def variable(created: datetime, *targets: str, git: str = "", managed: bool = False) -> vercel.Variable:
    return vercel.Variable(VariableId("env_1"), "DATABASE_URL", targets, git, "sensitive", created, 0, managed=managed)


def named(id_: str, created: datetime) -> neon.Project:
    return neon.Project(NeonProject(id_), "shop", created, 18)


@pytest.fixture
def neons() -> MagicMock:
    found: MagicMock = create_autospec(Neon, instance=True)
    found.address_of.return_value = None
    found.branches.return_value = [branch()]
    return found


@pytest.fixture
def vercels() -> MagicMock:
    found: MagicMock = create_autospec(Vercel, instance=True)
    found.variables.return_value = []
    return found


@pytest.fixture
def clouds(neons: MagicMock, vercels: MagicMock) -> Clouds:
    return Clouds(neons, vercels)


def decide(clouds: Clouds, create: Resource, *things: Any) -> Judgement:
    project = "" if create.token.endswith(":Project") else PROJECT
    judge = Judge(StackName("prod"), clouds, TRIED, [create, *BESIDE])
    return judge.decide(tuple(Candidate(create, project, thing) for thing in things))


def marked_by(monkeypatch: pytest.MonkeyPatch, neons: MagicMock, *roles: str) -> None:
    monkeypatch.setattr(ours, "marked_roles", lambda *_: frozenset(roles))
    neons.address_of.return_value = "somewhere"


def test_a_branch_that_was_made_while_an_update_failed_is_this_stacks(clouds: Clouds) -> None:
    judged = decide(clouds, BRANCH, branch())
    assert (judged.ours and judged.ours.import_id, judged.refusal) == (f"{PROJECT}/br-1", "")
    unknown = create(providers.NEON_BRANCH, projectId=PROJECT, name="prod-v2", parentId=UNKNOWN_VALUE)
    assert decide(clouds, unknown, branch("br-any")).ours, "its parent is made in the same update"


def test_what_the_engine_was_creating_is_this_stacks_whoever_removed_the_lock(clouds: Clouds) -> None:
    judge = Judge(StackName("prod"), clouds, Attempts((), frozenset({BRANCH.urn}), BEGAN), [BRANCH, *BESIDE])
    assert judge.decide((Candidate(BRANCH, PROJECT, branch()),)).ours
    assert not judge.decide((Candidate(BRANCH, PROJECT, branch(created=BEFORE)),)).ours
    assert not judge.decide((Candidate(COMPUTE, PROJECT, compute(DURING)),)).ours, "nobody was creating that"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (branch("br-other"), "which is a copy of br-other: this stack wants a copy of br-dev"),
        (branch(""), "which is no copy of any branch"),
        (branch(created=BEFORE), "made at 2026-11-01 11:00:00 UTC. No pulumi up of this stack failed"),
    ],
)
def test_a_branch_of_the_wanted_name_that_this_stack_did_not_make_is_refused(
    clouds: Clouds, found: neon.Branch, reason: str
) -> None:
    judged = decide(clouds, BRANCH, found)
    assert judged.ours is None
    assert reason in judged.refusal
    assert "write adopt: true in place of from at environments:branches.prod-v2" in judged.refusal


def test_a_branch_that_the_stack_file_adopts_is_left_to_adoption(clouds: Clouds) -> None:
    adopted = create(providers.NEON_BRANCH, projectId=PROJECT, name="prod-v2")
    judged = decide(clouds, adopted, branch())
    assert (judged.ours, judged.refusal) == (
        None,
        "the stack file adopts branch prod-v2: run environments adopt -s prod",
    )


def test_a_marker_tells_whose_a_branch_is_whenever_it_was_made(
    clouds: Clouds, neons: MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked_by(monkeypatch, neons, "app_prod_1")
    assert decide(clouds, BRANCH, branch(created=BEFORE)).ours
    marked_by(monkeypatch, neons, "app_staging_1")
    judged = decide(clouds, BRANCH, branch())
    assert judged.ours is None
    assert "which another environment made or serves from: it has the login app_staging_1" in judged.refusal


def test_a_branch_whose_database_does_not_answer_is_nobodys(
    clouds: Clouds, neons: MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise NotReadyError("it sleeps")

    neons.address_of.return_value = "somewhere"
    monkeypatch.setattr(ours, "marked_roles", silent)
    judged = decide(clouds, BRANCH, branch())
    assert judged.ours is None
    assert "doesn't say which environment made it: it sleeps. Run this again" in judged.refusal


def test_a_compute_is_taken_with_its_marked_branch_or_by_when_it_was_made(
    clouds: Clouds, neons: MagicMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decide(clouds, COMPUTE, compute(DURING)).ours
    old = decide(clouds, COMPUTE, compute(BEFORE))
    assert old.ours is None
    assert "run environments adopt -s prod. Otherwise delete it in Neon's console" in old.refusal

    marked_by(monkeypatch, neons, "app_prod_2")
    judge = Judge(StackName("prod"), clouds, replace(TRIED, without_success=()), [BRANCH, COMPUTE, *BESIDE])
    assert judge.decide((Candidate(BRANCH, PROJECT, branch(created=BEFORE)),)).ours
    assert judge.decide((Candidate(COMPUTE, PROJECT, compute(BEFORE)),)).ours


def test_a_variable_is_taken_by_when_it_was_made_and_left_to_adoption_otherwise(clouds: Clouds) -> None:
    assert decide(clouds, VARIABLE, variable(DURING, "production")).ours
    assert "environments adopt -s prod" in decide(clouds, VARIABLE, variable(BEFORE, "production")).refusal
    assert "belongs to an integration" in decide(clouds, VARIABLE, variable(DURING, "production", managed=True)).refusal
    wider = decide(clouds, VARIABLE, variable(DURING, "production", "preview"))
    assert "this stack writes it for production only" in wider.refusal


def test_of_projects_made_twice_one_is_taken_and_the_others_are_told(clouds: Clouds) -> None:
    asked = create(providers.NEON_PROJECT, name="shop")
    later = DURING + timedelta(seconds=1)
    judged = decide(clouds, asked, named("p-2", later), named("p-0", BEFORE), named("p-1", DURING))
    assert judged.ours
    assert judged.ours.import_id == "p-1"
    assert [one.id for one in judged.spare] == ["p-2"]


def test_a_project_that_is_older_or_in_use_is_not_taken(clouds: Clouds, neons: MagicMock) -> None:
    asked = create(providers.NEON_PROJECT, name="shop")
    assert "name the ids of both projects" in decide(clouds, asked, named("p-0", BEFORE)).refusal
    neons.branches.return_value = [branch(), branch(id_="br-2")]
    assert "something uses it" in decide(clouds, asked, named("p-1", DURING)).refusal


def test_an_empty_project_besides_the_one_in_the_state_is_told(clouds: Clouds, neons: MagicMock) -> None:
    urn = Urn("urn:pulumi:dev::shop::neon:index/project:Project::shop")
    values = {"name": "shop"}
    own = Resource(urn, providers.NEON_PROJECT, custom=True, parent=NO_URN, provider=NO_URN, values=values, id="p-1")
    neons.projects.return_value = [named("p-1", DURING), named("p-2", DURING), named("p-0", BEFORE)]
    judge = Judge(StackName("dev"), clouds, TRIED, [own])
    assert [one.id for one in judge.spare_projects()] == ["p-2"]


@pytest.mark.parametrize(
    ("created", "production", "variables", "taken"),
    [(DURING, "", 0, True), (BEFORE, "", 0, False), (DURING, "dpl_1", 0, False), (DURING, "", 1, False)],
)
def test_a_vercel_project_is_taken_if_it_is_new_and_unused(
    clouds: Clouds, vercels: MagicMock, created: datetime, production: str, variables: int, *, taken: bool
) -> None:
    hosted = vercel.Project(VercelProject("prj_1"), "shop", created, DeploymentId(production))
    vercels.variables.return_value = [variable(DURING, "preview")] * variables
    judged = decide(clouds, create(providers.VERCEL_PROJECT, name="shop"), hosted)
    assert (judged.ours is not None, judged.refusal == "") == (taken, taken)


def test_a_read_replica_is_no_candidate_and_a_variable_of_another_git_branch_neither(
    clouds: Clouds, neons: MagicMock, vercels: MagicMock
) -> None:
    neons.endpoints.return_value = [compute(DURING, "read_only")]
    assert candidates(COMPUTE, clouds, {}) == ()
    vercels.variables.return_value = [variable(DURING, "production", git="a")]
    assert candidates(VARIABLE, clouds, {}) == ()
    vercels.variables.return_value = [variable(DURING, "production")]
    found = candidates(VARIABLE, clouds, {})
    assert isinstance(found, tuple)
    assert [one.import_id for one in found] == ["prj_1/env_1"]
