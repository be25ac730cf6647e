"""A temporary branch as the engine asks for it: made once, found again, renewed, looked at, deleted; nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from environments.clients.neon import Neon
from environments.clients.postgres import connected
from environments.database.marker import BranchMarker, Claim, ClaimedError, write_marker
from environments.database.provenance import EVERY_ROW
from environments.ids import BranchId, RoleName, StackName
from environments.resources.temporary_branch import NameTakenError, TemporaryBranchProvider
from tests.localcloud.neon.hosting import API_KEY, Host, Project

pytestmark = pytest.mark.slow

HOUR = 3600
PROVIDER = TemporaryBranchProvider()


@pytest.fixture
def inputs(host: Host, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The inputs of a temporary copy of the root branch; whatever a test leaves is deleted."""
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)
    yield {
        "project": project.answer["project"]["id"],
        "name": "pr-7",
        "source": "dev (stack dev)",
        "parent": project.root,
        "timestamp": None,
        "lsn": None,
        "lifetime": float(HOUR),
        "schema_only": False,
        "database": "neondb",
        "owner": "neondb_owner",
    }
    for name, branch in there(project).items():
        if name in ("pr-7", "renamed"):
            host.call("DELETE", f"{project.path}/branches/{branch['id']}")


def there(project: Project) -> dict[str, dict[str, Any]]:
    found = project.host.call("GET", f"{project.path}/branches")["branches"]
    return {branch["name"]: branch for branch in found}


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(seconds=HOUR)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_killed_create_is_found_and_lives_its_whole_time(inputs: dict[str, Any], project: Project) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    left = project.branch("pr-7", endpoint=False, expires_at=soon)["branch"]
    made = PROVIDER.create(inputs)
    assert made.id == left["id"]
    assert made.outs
    assert made.outs["expires_at"] == there(project)["pr-7"]["expires_at"] > soon


@pytest.mark.parametrize(
    ("fields", "compute"),
    [({}, False), ({"expires_at": in_an_hour()}, True), ({"expires_at": in_an_hour(), "schema_only": True}, False)],
    ids=["stays", "is in use", "has another source"],
)
def test_a_branch_of_that_name_which_is_not_a_killed_create_is_refused(
    inputs: dict[str, Any], project: Project, fields: dict[str, Any], *, compute: bool
) -> None:
    wanted = inputs | {"schema_only": bool(fields.pop("schema_only", False))}
    id_ = project.branch("pr-7", endpoint=compute, **fields)["branch"]["id"]
    with pytest.raises(NameTakenError, match=rf"has a branch called pr-7 already \({id_}\).*another key or name"):
        PROVIDER.create(wanted)
    assert there(project)["pr-7"]["id"] == id_


def test_a_source_that_is_gone_is_told_when_the_branch_is_to_be_made_again(inputs: dict[str, Any]) -> None:
    news = inputs | {"parent": None}
    (failure,) = PROVIDER.check({}, news).failures or []
    assert "pr-7 is to be made as a copy of dev (stack dev), which isn't there" in failure.reason
    assert not PROVIDER.check(inputs, news).failures, "one that is there needs its source no more"


def test_its_name_and_its_lifetime_change_in_place_and_its_end_is_noticed(
    inputs: dict[str, Any], project: Project
) -> None:
    made = PROVIDER.create(inputs)
    state = made.outs or {}
    news = inputs | {"name": "renamed", "lifetime": 2.0 * HOUR, "parent": "br-another"}
    assert not PROVIDER.diff(made.id, state, inputs | {"parent": "br-another"}).changes
    assert PROVIDER.diff(made.id, state, news).changes
    state = PROVIDER.update(made.id, state, news).outs or {}
    assert there(project)["renamed"]["ttl_interval_seconds"] in range(2 * HOUR - 5, 2 * HOUR + 1)
    assert state["expires_at"] == there(project)["renamed"]["expires_at"]

    project.host.call("PATCH", f"{project.path}/branches/{made.id}", {"branch": {"expires_at": None}})
    seen = PROVIDER.read(made.id, state)
    assert seen.id == made.id
    assert PROVIDER.diff(made.id, seen.outs or {}, news).changes, "an end that was taken away comes back"

    PROVIDER.delete(made.id, state)
    PROVIDER.delete(made.id, state)
    assert PROVIDER.read(made.id, state).id == ""
    assert "renamed" not in there(project)


def test_a_branch_that_another_stack_serves_from_is_not_deleted(inputs: dict[str, Any], project: Project) -> None:
    made = PROVIDER.create(inputs)
    project.host.call("POST", f"{project.path}/endpoints", {"endpoint": {"branch_id": made.id, "type": "read_write"}},
                      status=201)  # fmt: skip
    with connected(project.uri(made.id)) as owner:
        owner.execute("CREATE ROLE app_other_1")
        claim = Claim(StackName("other"), 0.25, 1, 300, protected=False)
        write_marker(owner, RoleName("app_other_1"), BranchMarker(BranchId(made.id), EVERY_ROW, claim=claim))
    with pytest.raises(ClaimedError, match="other serves from branch pr-7"):
        PROVIDER.delete(made.id, made.outs or {})
    assert "pr-7" in there(project)


def test_a_branch_without_rows_is_asked_for_as_the_api_wants_it(inputs: dict[str, Any], project: Project) -> None:
    made = PROVIDER.create(inputs | {"schema_only": True})
    assert there(project)["pr-7"]["init_source"] == "schema-only"
    with Neon() as neon:
        assert neon.branch(inputs["project"], BranchId(made.id)).expires_at
