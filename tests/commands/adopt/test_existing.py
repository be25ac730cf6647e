"""What exists already of what a stack would create, and the import file that takes it over: with stand-in clients."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest

from environments.clients import providers
from environments.clients.neon import Branch, Endpoint, Neon
from environments.clients.pulumi import Resource, Urn
from environments.clients.vercel import Variable, Vercel
from environments.commands.adopt.existing import InTheWayError, existing
from environments.commands.comparison.candidates import Clouds
from environments.commands.comparison.import_file import import_file
from environments.ids import BranchId, EndpointId, Lsn, VariableId
from environments.props import UNKNOWN_VALUE, encode

STACK = Urn("urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod")
TOP = Urn("urn:pulumi:prod::shop::environments:index:Environment::prod")
MIDDLE = Urn("urn:pulumi:prod::shop::environments:index:Environment$environments:index:Branch::main")
VERCEL = Urn("urn:pulumi:prod::shop::pulumi:providers:vercel::vercel")
NEON = Urn("urn:pulumi:prod::shop::pulumi:providers:neon::default_0_15_0")


def create(token: str, key: str, parent: Urn, provider: Urn = NEON, /, **inputs: Any) -> Resource:
    urn = Urn(f"urn:pulumi:prod::shop::environments:index:Environment${token}::{key}")
    return Resource(urn, token, custom=True, parent=parent, provider=provider, values=inputs)


def component(urn: Urn, parent: Urn) -> Resource:
    token = urn.split("::")[2].rpartition("$")[2]
    return Resource(urn, token, custom=False, parent=parent, provider=Urn(""), values={})


BRANCH = create(providers.NEON_BRANCH, "main", MIDDLE, projectId="late-frost-1", name="main")
COMPUTE = create(
    providers.NEON_ENDPOINT, "main", MIDDLE, projectId="late-frost-1", branchId=UNKNOWN_VALUE, type="read_write"
)
VARIABLE = create(
    providers.VERCEL_VARIABLE,
    "URL",
    TOP,
    VERCEL,
    projectId="prj_1",
    key="URL",
    targets=["production"],
    value="[secret]",
)
PROVIDER = Resource(
    VERCEL, "pulumi:providers:vercel", custom=True, parent=STACK, provider=Urn(""), values={"team": "t"}
)
CREATES = [
    component(STACK, Urn("")),
    PROVIDER,
    component(TOP, STACK),
    component(MIDDLE, TOP),
    BRANCH,
    COMPUTE,
    VARIABLE,
]


@pytest.fixture
def neon() -> MagicMock:
    """A project with the branch main, which Neon protects, and its compute."""
    found: MagicMock = create_autospec(Neon, instance=True)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    main = Branch(BranchId("br-1"), "main", at, BranchId(""), Lsn(""), protected=True, expires_at="", init_source="")
    found.branches.return_value = [main]
    found.endpoints.return_value = [
        Endpoint(
            EndpointId("ep-1"),
            "read_write",
            disabled=False,
            min_cu=1,
            max_cu=2,
            suspend_seconds=300,
            branch_id=BranchId("br-1"),
            created_at=at,
        )
    ]
    return found


def variable(id_: str, *targets: str, managed: bool = False, type_: str = "sensitive") -> Variable:
    return Variable(VariableId(id_), "URL", targets, "", type_, datetime(2026, 11, 1, tzinfo=UTC), 0, managed=managed)


@pytest.fixture
def vercel() -> MagicMock:
    found: MagicMock = create_autospec(Vercel, instance=True)
    found.variables.return_value = [variable("env_1", "production"), variable("env_2", "preview")]
    return found


def test_a_branch_its_compute_and_a_variable_are_found(neon: MagicMock, vercel: MagicMock) -> None:
    found = existing(CREATES, Clouds(neon, vercel))
    assert [(one.candidate.create.urn, one.candidate.import_id) for one in found] == [
        (BRANCH.urn, "late-frost-1/br-1"),
        (COMPUTE.urn, "late-frost-1/ep-1"),
        (VARIABLE.urn, "prj_1/env_1"),
    ]
    assert found[0].note.endswith("To keep it, write protected: true at environments:branches.main")
    neon.endpoints.assert_called_once_with("late-frost-1", "br-1")


def test_what_belongs_to_a_project_that_is_still_to_be_created_exists_nowhere(
    neon: MagicMock, vercel: MagicMock
) -> None:
    creates = [
        create(each.token, each.name, each.parent, **{**each.values, "projectId": UNKNOWN_VALUE})
        for each in (BRANCH, COMPUTE, VARIABLE)
    ]
    assert existing(creates, Clouds(neon, vercel)) == []
    assert neon.mock_calls == vercel.mock_calls == []


@pytest.mark.parametrize("parent", ["br-dev", UNKNOWN_VALUE])
def test_a_branch_whose_line_names_its_source_is_not_adopted(neon: MagicMock, vercel: MagicMock, parent: str) -> None:
    cloned = create(BRANCH.token, "main", MIDDLE, **{**BRANCH.values, "parentId": parent})
    assert existing([cloned, COMPUTE], Clouds(neon, vercel)) == []


def test_a_compute_that_somebody_made_on_a_branch_of_the_stack_is_found(neon: MagicMock, vercel: MagicMock) -> None:
    compute = create(COMPUTE.token, "main", MIDDLE, **{**COMPUTE.values, "branchId": "br-1"})
    (found,) = existing([compute], Clouds(neon, vercel))
    assert found.candidate.id == "ep-1"


def test_every_variable_that_is_in_the_way_is_named_at_once(neon: MagicMock, vercel: MagicMock) -> None:
    other = create(VARIABLE.token, "OTHER", TOP, VERCEL, **{**VARIABLE.values, "targets": ["preview"]})
    vercel.variables.return_value = [
        variable("env_1", "production", managed=True),
        variable("env_2", "preview", "development"),
    ]
    with pytest.raises(InTheWayError) as refused:
        existing([VARIABLE, other], Clouds(neon, vercel))
    assert str(refused.value).splitlines()[0] == "nothing was taken over."
    first, second = refused.value.reasons
    assert first.startswith("URL (env_1) belongs to an integration, and only the integration can change it")
    assert second.startswith("URL exists as env_2 for preview, development, but this stack writes it for preview only")


def test_the_import_file_has_what_is_around_each_thing_and_no_secret(neon: MagicMock, vercel: MagicMock) -> None:
    found = [one.candidate for one in existing(CREATES, Clouds(neon, vercel))]
    written = encode(import_file(CREATES, found))
    assert written["nameTable"] == {}
    around, imported = written["resources"][:3], written["resources"][3:]
    assert [each["logicalName"] for each in around] == ["prod", "main", "vercel"]
    assert around[0] == {
        "type": "environments:index:Environment",
        "name": "environments:index:Environment::prod",
        "logicalName": "prod",
        "component": True,
    }
    assert around[1]["parent"] == around[0]["name"]
    assert around[2]["inputs"] == {"team": "t"}
    branch, compute, url = imported
    assert (branch["id"], compute["id"], url["id"]) == ("late-frost-1/br-1", "late-frost-1/ep-1", "prj_1/env_1")
    assert branch["parameterization"].keys() == {"pluginName", "pluginVersion", "value"}
    assert "provider" not in branch
    assert url["provider"] == "pulumi:providers:vercel::vercel"
    assert "parameterization" not in url
    assert not url.keys() & {"inputs", "outputs"}, "its provider reads it"
    assert "[secret]" not in json.dumps(written)


def test_what_the_state_has_already_is_only_named(neon: MagicMock, vercel: MagicMock) -> None:
    found = [one.candidate for one in existing([VARIABLE], Clouds(neon, vercel))]
    written = encode(import_file([VARIABLE], found))
    assert set(written["nameTable"].values()) == {TOP, VERCEL}
    assert [each["logicalName"] for each in written["resources"]] == ["URL"]
