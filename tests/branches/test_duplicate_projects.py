"""Projects that the provider created twice are named in a warning, which never fails an update."""

from __future__ import annotations

import pytest

from environments import log
from environments.branches.duplicate_projects import warn_of_duplicate_projects
from environments.ids import NeonProject
from tests.branches.stand_in import StandIn, project

PROJECT = NeonProject("p")


def warnings() -> list[str]:
    with log.collected() as said:
        warn_of_duplicate_projects(PROJECT)
    return said


def test_a_project_of_the_same_name_and_hour_is_a_duplicate(neon: StandIn) -> None:
    neon.projects.append(project("q", "2026-01-01T12:01:00Z"))
    (warning,) = warnings()
    assert warning.startswith("warning: Neon project shop was made more than once")
    assert "this stack uses p, and nothing uses q. Delete that in Neon's console" in warning


def test_a_project_that_was_created_on_purpose_is_none(neon: StandIn) -> None:
    neon.projects.append(project("q", "2026-01-02T12:00:00Z"))
    assert warnings() == []


@pytest.mark.parametrize("path", ["/projects$", "/projects/p$"])
def test_a_neon_that_does_not_answer_is_a_warning_too(neon: StandIn, path: str) -> None:
    neon.refuses = path
    (warning,) = warnings()
    assert warning.startswith("warning: Neon didn't say whether it created project p more than once: Neon answered 500")
