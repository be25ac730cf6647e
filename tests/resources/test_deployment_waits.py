"""An app waits with its migrations: its files stay what they were until those ran."""

from __future__ import annotations

from dataclasses import replace

import pytest

from environments.ids import BranchId, Fingerprint, NeonProject, VercelProject
from environments.props import UNKNOWN, Unknown, differing
from environments.resources.deployment import Deployment, Inputs

RUNS = Inputs(
    project=VercelProject("prj_1"),
    neon_project=NeonProject("late-frost-12345678"),
    path="app",
    digest="old",
    branch=BranchId("br-1"),
    pooled_url="postgresql://pooled",
    direct_url="postgresql://direct",
    fingerprint=Fingerprint("f1"),
    waiting=(),
)
ADDED = replace(RUNS, digest="fresh")
WAITING = ("0002_more",)


def checked(new: Inputs, old: Inputs | None = RUNS) -> tuple[Inputs, tuple[str, ...]]:
    found = Deployment().check(old, new)
    return found.inputs, found.refusals


def test_nothing_waits_for_nothing() -> None:
    assert checked(ADDED) == (ADDED, ())


@pytest.mark.parametrize("waiting", [WAITING, UNKNOWN])
def test_an_app_whose_migrations_wait_stays_as_it_is(waiting: tuple[str, ...] | Unknown) -> None:
    moved_to = replace(ADDED, path="another", waiting=waiting)
    kept, refused = checked(moved_to)
    assert (kept.path, kept.digest, refused) == ("app", "old", ())
    assert differing(RUNS, kept) == [], "nothing is left to update"


@pytest.mark.parametrize(
    "other", [replace(ADDED, branch=BranchId("br-2")), replace(ADDED, fingerprint=Fingerprint("f2"))]
)
def test_it_is_not_built_for_another_branch_or_login_before_they_ran(other: Inputs) -> None:
    _, (refused,) = checked(replace(other, waiting=WAITING))
    assert refused.startswith("Migrations wait for a review (stop_after_rehearsal): 0002_more.")


def test_the_first_deployment_waits_for_nothing() -> None:
    first = replace(ADDED, waiting=WAITING)
    assert checked(first, None) == (first, ())
