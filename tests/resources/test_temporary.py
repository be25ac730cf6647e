"""A temporary branch as the engine asks for it: made once, found again, renewed, looked at, deleted; nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from environments.clients.neon import Neon
from environments.clients.postgres import connected
from environments.database.marker import BranchMarker, Claim, ClaimedError, write_marker
from environments.ids import BranchId, DatabaseName, NeonProject, RoleName, StackName, Transaction
from environments.resources.temporary_branch import Inputs, NameTakenError, Source, TemporaryBranch
from environments.resources.typed import State
from tests.localcloud.neon.hosting import API_KEY, Host, Project

pytestmark = pytest.mark.slow

HOUR = 3600
RESOURCE = TemporaryBranch()


@pytest.fixture
def inputs(host: Host, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inputs]:
    """The inputs of a temporary copy of the root branch; whatever a test leaves is deleted."""
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)
    yield Inputs(
        project=NeonProject(project.answer["project"]["id"]),
        name="pr-7",
        source=Source(description="dev (stack dev)", parent=BranchId(project.root)),
        lifetime=HOUR,
        database=DatabaseName("neondb"),
        owner=RoleName("neondb_owner"),
    )
    for name, branch in there(project).items():
        if name in ("pr-7", "renamed"):
            host.call("DELETE", f"{project.path}/branches/{branch['id']}")


def copy_of(inputs: Inputs, parent: BranchId | None, *, schema_only: bool = False) -> Inputs:
    """The same branch of another source."""
    return replace(inputs, source=replace(inputs.source, parent=parent, schema_only=schema_only))


def there(project: Project) -> dict[str, dict[str, Any]]:
    found = project.host.call("GET", f"{project.path}/branches")["branches"]
    return {branch["name"]: branch for branch in found}


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(seconds=HOUR)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_killed_create_is_found_and_lives_its_whole_time(inputs: Inputs, project: Project) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    left = project.branch("pr-7", endpoint=False, expires_at=soon)["branch"]
    id_, outputs = RESOURCE.create(inputs)
    assert id_ == left["id"]
    assert outputs.expires_at == there(project)["pr-7"]["expires_at"] > soon


@pytest.mark.parametrize(
    ("fields", "compute", "schema_only"),
    [({}, False, False), ({"expires_at": in_an_hour()}, True, False), ({"expires_at": in_an_hour()}, False, True)],
    ids=["stays", "is in use", "has another source"],
)
def test_a_branch_of_that_name_which_is_not_a_killed_create_is_refused(
    inputs: Inputs, project: Project, fields: dict[str, Any], *, compute: bool, schema_only: bool
) -> None:
    id_ = project.branch("pr-7", endpoint=compute, **fields)["branch"]["id"]
    with pytest.raises(NameTakenError, match=rf"has a branch called pr-7 already \({id_}\).*another key or name"):
        RESOURCE.create(copy_of(inputs, BranchId(project.root), schema_only=schema_only))
    assert there(project)["pr-7"]["id"] == id_


def test_a_source_that_is_gone_is_named_when_the_branch_is_to_be_made_again(inputs: Inputs) -> None:
    new = copy_of(inputs, None)
    (refusal,) = RESOURCE.check(None, new).refusals
    assert "pr-7 is to be made as a copy of dev (stack dev), which isn't there" in refusal
    assert not RESOURCE.check(inputs, new).refusals, "one that is there needs its source no more"


def test_its_name_and_its_lifetime_change_in_place_and_its_end_is_noticed(inputs: Inputs, project: Project) -> None:
    id_, outputs = RESOURCE.create(inputs)
    state = State(id_, inputs, outputs)
    elsewhere = copy_of(inputs, BranchId("br-another"))
    new = replace(elsewhere, name="renamed", lifetime=2 * HOUR)
    assert RESOURCE.changed(state, elsewhere) == []
    assert RESOURCE.changed(state, new) == ["name", "lifetime"]
    state = State(id_, new, RESOURCE.update(state, new))
    assert there(project)["renamed"]["ttl_interval_seconds"] in range(2 * HOUR - 5, 2 * HOUR + 1)
    assert state.outputs.expires_at == there(project)["renamed"]["expires_at"]
    assert not RESOURCE.stale(state, new)

    project.host.call("PATCH", f"{project.path}/branches/{id_}", {"branch": {"expires_at": None, "name": "pr-7"}})
    seen = RESOURCE.read(state)
    assert seen
    assert RESOURCE.stale(seen, new), "an end that was taken away comes back"
    assert RESOURCE.changed(seen, new) == ["name"], "so does its name"
    assert RESOURCE.update(seen, new).expires_at
    assert "renamed" in there(project)

    RESOURCE.delete(state)
    RESOURCE.delete(state)
    assert RESOURCE.read(state) is None
    assert "renamed" not in there(project)


def test_a_branch_that_another_stack_serves_from_is_not_deleted(inputs: Inputs, project: Project) -> None:
    id_, outputs = RESOURCE.create(inputs)
    project.host.call("POST", f"{project.path}/endpoints", {"endpoint": {"branch_id": id_, "type": "read_write"}},
                      status=201)  # fmt: skip
    with connected(project.uri(id_)) as owner:
        owner.execute("CREATE ROLE app_other_1")
        claim = Claim(StackName("other"), 0.25, 1, 300, protected=False)
        write_marker(owner, RoleName("app_other_1"), BranchMarker(BranchId(id_), Transaction("1"), None, claim))
    with pytest.raises(ClaimedError, match="other serves from branch pr-7"):
        RESOURCE.delete(State(id_, inputs, outputs))
    assert "pr-7" in there(project)


def test_a_branch_without_rows_is_asked_for_as_the_api_wants_it(inputs: Inputs, project: Project) -> None:
    id_, _ = RESOURCE.create(copy_of(inputs, BranchId(project.root), schema_only=True))
    assert there(project)["pr-7"]["init_source"] == "schema-only"
    with Neon() as neon:
        assert neon.branch(NeonProject(project.answer["project"]["id"]), id_).expires_at
