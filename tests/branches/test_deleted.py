"""A branch that was deleted by hand is told from one that was renamed, and from one that never was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from environments.branches.deleted import gone_refusal, looked, newest_operation
from environments.ids import NeonProject
from tests.localcloud.plugins.recorder import Answer, Recorder, Request, served

SETTLED = {"project": "p", "wanted": {"name": "prod-v2"}, "settled": "op-1"}
THERE = {"made": "br-2", "gone": False}


class Project:
    """Neon's answers: branches by id, operations from old to new, two to a page."""

    def __init__(self) -> None:
        self.branches: dict[str, str] = {"br-1": "dev"}
        self.operations: list[dict[str, Any]] = [made("op-0", "br-0"), made("op-1", "br-1")]

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/branches"):
            return 200, {"branches": [{"id": id_, "name": name} for id_, name in self.branches.items()]}
        newest = self.operations[::-1]
        cursor = request.query.partition("cursor=")[2]
        start = next((place for place, found in enumerate(newest, 1) if found["id"] == cursor), 0)
        page = newest[start : start + 2]
        return 200, {"operations": page, **({"pagination": {"cursor": page[-1]["id"]}} if page else {})}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    project = Project()
    with served(Recorder(project)) as recorder:
        monkeypatch.setenv("NEON_API_HOST", recorder.url)
        monkeypatch.setenv("NEON_API_KEY", "made-up")
        yield project


def made(operation: str, branch: str) -> dict[str, Any]:
    return {"id": operation, "action": "create_branch", "branch_id": branch}


def test_what_is_there_is_noted_by_its_id(project: Project) -> None:
    project.branches["br-2"] = "prod-v2"
    assert looked(SETTLED) == THERE


def test_what_was_renamed_is_there(project: Project) -> None:
    project.branches["br-2"] = "somebodys"
    assert looked(SETTLED | THERE) == THERE


def test_what_was_noted_and_is_not_there_is_gone(project: Project) -> None:
    assert looked(SETTLED | THERE) == {"made": "br-2", "gone": True}
    project.branches["br-3"] = "prod-v2"
    assert looked(SETTLED | THERE)["gone"], "another one of the same name is not it"


def test_what_was_made_and_deleted_before_anybody_looked_is_gone(project: Project) -> None:
    others = [{"id": f"op-{number}", "action": "start_compute", "branch_id": "br-1"} for number in range(3, 8)]
    project.operations += [made("op-2", "br-2"), *others]
    assert looked(SETTLED)["gone"]


def test_what_was_never_made_is_not_gone(project: Project) -> None:
    project.operations.append({"id": "op-2", "action": "delete_timeline", "branch_id": "br-0"})
    assert not looked(SETTLED)["gone"], "br-0 was made before"
    assert not looked({"project": "p", "wanted": {"name": "prod-v2"}})["gone"], "a state from before this was noted"


def test_what_comes_back_is_not_gone_any_more(project: Project) -> None:
    project.branches["br-2"] = "prod-v2"
    assert looked(SETTLED | {"made": "br-2", "gone": True}) == THERE


def test_the_newest_operation_marks_the_moment(project: Project) -> None:
    assert newest_operation(NeonProject("p")) == "op-1"
    project.operations = []
    assert newest_operation(NeonProject("p")) == ""


def test_only_what_is_gone_is_refused() -> None:
    olds = {"gone": False, "kind": "clone", "branch": "dev", "stack": "dev", "at": ""}
    news = {"name": "prod-v2", "serves": True}
    assert gone_refusal(olds, news) == ""
    assert "it is the one that serves" in gone_refusal(olds | {"gone": True}, news)
    assert "it is the one that serves" not in gone_refusal(olds | {"gone": True}, news | {"serves": False})
