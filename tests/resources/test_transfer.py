"""Transfer as the engine asks for it: refused before anything is made, filled once, taken as it is when it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from environments import log
from environments.clients.neon import Address
from environments.database.copy import programs
from environments.ids import BranchId, BranchKey, DatabaseName, EndpointId, NeonProject, RoleName
from environments.plugin.registry import resource_of
from environments.props import UNKNOWN
from environments.resources.transfer import Inputs, Outputs, Source, Target, Transfer
from environments.resources.typed import State
from localcloud.neon.installations import Installations
from tests.localcloud.neon.hosting import API_KEY, Host, Project

pytestmark = pytest.mark.slow

RESOURCE = Transfer()
DATABASE, OWNER = DatabaseName("neondb"), RoleName("neondb_owner")


@pytest.fixture(autouse=True)
def surroundings(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)
    monkeypatch.setenv(programs.FOLDER_VARIABLE, str(Installations.find().default.bin))


@contextmanager
def branch_of(project: Project, name: str) -> Iterator[Address]:
    made = project.branch(name)
    branch, endpoint = BranchId(made["branch"]["id"]), EndpointId(made["endpoints"][0]["id"])
    yield Address(NeonProject(project.answer["project"]["id"]), branch, endpoint, DATABASE, OWNER)
    project.host.call("DELETE", f"{project.path}/branches/{branch}")


@pytest.fixture
def source(project: Project) -> Iterator[Address]:
    """A branch with one row."""
    with branch_of(project, "source") as address:
        project.sql("CREATE TABLE orders AS SELECT 1 AS id", address.branch)
        yield address


@pytest.fixture(scope="module")
def other(host: Host) -> Project:
    """Another project."""
    return Project(host, host.call("POST", "/projects", {"project": {"name": "other"}}, status=201))


@pytest.fixture
def inputs(source: Address, other: Project) -> Iterator[Inputs]:
    """What carries the one over to an empty branch of the other project."""
    with branch_of(other, "target") as target:
        yield Inputs(
            source=Source(name=BranchKey("prod-v1"), project=source.project, branch=source.branch),
            target=Target(
                name=BranchKey("prod-v2"), project=target.project, branch=target.branch, endpoint=target.endpoint
            ),
            database=DATABASE,
            owner=OWNER,
        )


def test_it_fills_the_branch_once_and_takes_a_whole_copy_as_it_is(inputs: Inputs, other: Project) -> None:
    with log.collected() as said:
        assert not RESOURCE.check(None, inputs).refusals
        id_, outputs = RESOURCE.create(inputs)
    assert id_ == inputs.target.branch
    assert outputs.seconds > 0
    (line,) = said
    assert line.startswith("prod-v2 is filled from prod-v1: 1 rows in 1 tables, each compared with its source")
    assert other.sql("SELECT id FROM orders", id_) == [(1,)]

    other.sql("INSERT INTO orders VALUES (2)", id_)
    assert RESOURCE.create(inputs) == (id_, Outputs(seconds=0.0)), "its create was cut short after the copy was whole"
    assert other.sql("SELECT count(*) FROM orders", id_) == [(2,)]


def test_no_edit_fills_it_again_and_it_is_gone_with_its_branch(inputs: Inputs) -> None:
    state = State(str(inputs.target.branch), inputs, Outputs(seconds=1.5))
    edited = replace(inputs, source=replace(inputs.source, branch=None), owner=RoleName("another"))
    assert RESOURCE.changed(state, edited) == []
    assert not RESOURCE.check(inputs, edited).refusals
    assert RESOURCE.planned(state, edited)["seconds"] == 1.5, "a preview knows how long it took"
    assert RESOURCE.update(state, edited) == state.outputs
    assert RESOURCE.read(state) == state
    gone = replace(state, inputs=replace(inputs, target=replace(inputs.target, branch=BranchId("br-none-00000000"))))
    assert RESOURCE.read(gone) is None
    resource = resource_of("environments:index:Transfer")
    assert resource.decoded_state(state.id, resource.encoded(inputs), resource.encoded(state.outputs)) == state


def test_what_stays_behind_is_a_warning_and_what_is_not_known_yet_is_not_judged(
    inputs: Inputs, project: Project
) -> None:
    project.sql("CREATE DATABASE reports", str(inputs.source.branch))
    with log.collected() as said:
        assert not RESOURCE.check(None, inputs).refusals
    (warning,) = said
    assert warning.startswith("warning: prod-v1 has other databases besides neondb, which stay behind on it: ")
    assert "reports" in warning.rpartition(": ")[2].split(", ")
    for unknown in (
        replace(inputs, source=replace(inputs.source, branch=UNKNOWN)),
        replace(inputs, source=replace(inputs.source, project=UNKNOWN)),
        replace(inputs, target=replace(inputs.target, project=UNKNOWN)),
    ):
        with log.collected() as said:
            assert not RESOURCE.check(None, unknown).refusals
        assert said == []


def test_a_source_that_cannot_be_carried_over_is_refused_before_anything_is_made(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(programs.FOLDER_VARIABLE)
    monkeypatch.setattr(programs, "_DEBIAN", Path("/nonexistent"))
    (refusal,) = RESOURCE.check(None, inputs).refusals
    assert refusal.startswith("branch prod-v2 can't be filled from prod-v1: pg_dump and pg_restore of Postgres")
