"""Whether a create that was cut short was carried out: asked of stand-ins for the two clients."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest

from environments.clients import providers
from environments.clients.http import NotFoundError
from environments.clients.neon import Branch, Endpoint, Neon, Project
from environments.clients.pulumi import NO_URN, Resource, Urn
from environments.clients.vercel import Project as HostedProject
from environments.clients.vercel import Variable, Vercel
from environments.commands.recover.carried_out import AmbiguousError, carried_out
from environments.ids import BranchId, DeploymentId, EndpointId, Lsn, NeonProject, VariableId, VercelProject

BEGUN = datetime(2026, 11, 1, 12, tzinfo=UTC)
PROJECT = NeonProject("late-frost-1")


def create(token: str, **inputs: Any) -> Resource:
    return Resource(
        Urn(f"urn:pulumi:prod::shop::{token}::it"), token, custom=True, parent=NO_URN, provider=NO_URN, values=inputs
    )


def branch(id_: str, name: str, parent: str) -> Branch:
    return Branch(BranchId(id_), name, BEGUN, BranchId(parent), Lsn(""), protected=False, expires_at="", init_source="")


@pytest.fixture
def neon() -> MagicMock:
    found: MagicMock = create_autospec(Neon, instance=True)
    return found


@pytest.fixture
def vercel() -> MagicMock:
    found: MagicMock = create_autospec(Vercel, instance=True)
    return found


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ({"name": "prod-v2", "parentId": "br-dev"}, "br-1"),
        ({"name": "prod-v2", "parentId": "br-other"}, None),
        ({"name": "prod-v3", "parentId": "br-dev"}, None),
        ({"name": "dev"}, "br-dev"),
    ],
)
def test_a_branch_is_known_by_its_name_and_its_parent(
    neon: MagicMock, vercel: MagicMock, inputs: dict[str, Any], wanted: str | None
) -> None:
    neon.branches.return_value = [branch("br-dev", "dev", "br-main"), branch("br-1", "prod-v2", "br-dev")]
    assert carried_out(create(providers.NEON_BRANCH, projectId=PROJECT, **inputs), neon, vercel, BEGUN) == wanted
    neon.branches.assert_called_once_with(PROJECT)


def test_a_compute_is_the_one_of_its_branch_and_two_are_ambiguous(neon: MagicMock, vercel: MagicMock) -> None:
    one = Endpoint(EndpointId("ep-1"), "read_write", disabled=False, min_cu=1, max_cu=1, suspend_seconds=300)
    two = Endpoint(EndpointId("ep-2"), "read_write", disabled=False, min_cu=1, max_cu=1, suspend_seconds=300)
    asked = create(providers.NEON_ENDPOINT, projectId=PROJECT, branchId="br-1", type="read_write")
    replica = replace(one, id=EndpointId("ep-0"), type="read_only")
    neon.endpoints.side_effect = [[], [replica], [replica, one], [one, two]]
    assert carried_out(asked, neon, vercel, BEGUN) is None
    assert carried_out(asked, neon, vercel, BEGUN) is None, "somebody's read replica is not what it made"
    assert carried_out(asked, neon, vercel, BEGUN) == "ep-1"
    with pytest.raises(AmbiguousError, match=r"2 things may be what it made: ep-1, ep-2. Delete those"):
        carried_out(asked, neon, vercel, BEGUN)


def test_a_project_is_the_one_that_is_not_older_than_the_create(neon: MagicMock, vercel: MagicMock) -> None:
    asked = create(providers.NEON_PROJECT, name="shop")
    neon.projects.return_value = [Project(PROJECT, "shop", BEGUN + timedelta(seconds=3), 18)]
    assert carried_out(asked, neon, vercel, BEGUN) == PROJECT
    neon.projects.return_value = [Project(PROJECT, "shop", BEGUN - timedelta(hours=3), 18)]
    with pytest.raises(AmbiguousError, match=r"late-frost-1 has the same name, but it is older.*2026-11-01 09:00"):
        carried_out(asked, neon, vercel, BEGUN)


def test_a_vercel_project_is_asked_for_by_name(neon: MagicMock, vercel: MagicMock) -> None:
    asked = create(providers.VERCEL_PROJECT, name="shop")
    vercel.project.side_effect = NotFoundError("Vercel", "GET /v9/projects/shop", 404, "not_found", "no such project")
    assert carried_out(asked, neon, vercel, BEGUN) is None
    vercel.project.side_effect = [HostedProject(VercelProject("prj_1"), "shop", BEGUN, DeploymentId(""))]
    assert carried_out(asked, neon, vercel, BEGUN) == "prj_1"


def test_a_variable_is_the_one_in_the_place_that_it_takes(neon: MagicMock, vercel: MagicMock) -> None:
    asked = create(
        providers.VERCEL_VARIABLE,
        projectId="prj_1",
        key="DATABASE_URL",
        targets=["preview"],
        gitBranch="x",
        value="secret",
    )
    vercel.variables.return_value = [
        Variable(VariableId(id_), "DATABASE_URL", ("preview",), git, "encrypted", 0, managed=False)
        for id_, git in (("env_1", ""), ("env_2", "x"))
    ]
    assert carried_out(asked, neon, vercel, BEGUN) == "env_2"


def test_our_own_resources_are_always_created_again(neon: MagicMock, vercel: MagicMock) -> None:
    assert carried_out(create("environments:index:Cutover", served="br-1"), neon, vercel, BEGUN) is None
    assert neon.mock_calls == vercel.mock_calls == []
