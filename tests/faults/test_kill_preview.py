"""Pull the plug while a preview environment comes up: recovery converges, and no second branch is left to expire."""

from __future__ import annotations

import pytest

from environments.settings.pull_request import stack_file
from tests.e2e.conftest import World
from tests.e2e.previews import branches, computes, push, variables
from tests.faults.test_kill import kill_at

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEPS = [
    ("environments:index:TemporaryBranch", False),
    ("environments:index:TemporaryBranch", True),
    ("environments:index:AppLogin", True),
    ("vercel:index:ProjectEnvironmentVariable", True),
]


@pytest.fixture(scope="module")
def dev(bare: World) -> World:
    """Dev with rows, and nothing else."""
    bare.bring_up_dev()
    return bare


@pytest.mark.parametrize(("step", "everything"), STEPS)
def test_a_preview_environment_that_was_killed_converges_by_the_documented_recovery(
    dev: World, step: str, *, everything: bool
) -> None:
    dev.stack_file("pr-7").write_text(stack_file(7, "feature/basket"))
    dev.select("pr-7")
    before = set(computes(dev))

    kill_at(dev, step, everything=everything, stack="pr-7")
    assert "Recovered" in dev.environments("recover", "-s", "pr-7")
    dev.up("pr-7")

    assert sorted(branches(dev)) == ["dev", "main", "pr-7"]
    assert branches(dev)["pr-7"]["expires_at"] == dev.outputs("pr-7")["expires"]["pr-7"]
    assert len(computes(dev)) == len(before) + 1
    assert push(dev, "feature/basket") == branches(dev)["pr-7"]["id"]
    dev.up("pr-7", "--expect-no-changes")
    dev.pulumi("destroy", "-s", "pr-7", "--yes", "--skip-preview")
    dev.pulumi("stack", "rm", "-s", "pr-7", "--yes")
    assert set(computes(dev)) == before
    assert {branch for _, branch in variables(dev)} == {None}
