"""Ten preview environments at once: each answers from its own branch, whatever lock or refusal Neon meets them with."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.conftest import World
from tests.e2e.previews import branches, bring_up, computes, push, variables

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NUMBERS = range(101, 111)


def git_branch(number: int) -> str:
    return f"feature/{number}"


def side_by_side(work: Callable[[int], object]) -> float:
    """Do it for all ten at once and return the seconds that it took; what fails is raised."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(NUMBERS)) as pool:
        list(pool.map(work, NUMBERS))
    return time.monotonic() - began


def remove(world: World, number: int) -> None:
    world.pulumi("destroy", "-s", f"pr-{number}", "--yes", "--skip-preview")
    world.pulumi("stack", "rm", "-s", f"pr-{number}", "--yes")


def test_ten_are_brought_up_side_by_side_answer_from_their_own_branch_and_go_again(bare: World) -> None:
    bare.bring_up_dev()
    before, running = set(branches(bare)), computes(bare)
    dev = bare.app_url("dev", "dev")

    up = side_by_side(lambda number: bring_up(bare, number, git_branch(number)))

    found = branches(bare)
    assert set(found) == before | {f"pr-{number}" for number in NUMBERS}
    owners = list(computes(bare).values())
    assert len(owners) == len(set(owners)) == len(running) + len(NUMBERS), "no branch has two computes"
    for number in NUMBERS:
        assert push(bare, git_branch(number)) == found[f"pr-{number}"]["id"]
        assert bare.orders(f"pr-{number}", f"pr-{number}") == bare.orders("dev", "dev")

    down = side_by_side(lambda number: remove(bare, number))

    assert set(branches(bare)) == before
    assert computes(bare) == running
    assert {branch for _, branch in variables(bare)} == {None}
    assert bare.app_url("dev", "dev") == dev
    bare.up("dev", "--refresh", "--expect-no-changes")
    print(f"ten preview environments: up {up:.1f} s, down {down:.1f} s")
