"""The staging environment of docs/environments.md: protected, renewed by two edits, taken down as it says there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from environments.program.kept import HOOK
from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World
from tests.e2e.previews import branches, push, variables

pytestmark = pytest.mark.e2e

EXAMPLE = Path(__file__).parents[2] / "docs/examples/Pulumi.staging.yaml"


def test_a_staging_environment_is_protected_gets_newer_data_and_is_taken_down(bare: World) -> None:
    the_example_serves_the_deployments_of_its_git_branch_and_is_protected(bare)
    it_gets_newer_data_and_lets_the_old_branch_go_by_two_edits(bare)
    it_is_taken_down_as_it_is_described(bare)


def the_example_serves_the_deployments_of_its_git_branch_and_is_protected(bare: World) -> None:
    bare.bring_up_dev()
    shutil.copy(EXAMPLE, bare.stack_file("staging"))
    bare.select("staging")
    bare.up("staging")
    made = branches(bare)["staging-v1"]
    assert made["protected"]
    assert "expires_at" not in made
    assert push(bare, "staging") == made["id"]
    assert push(bare, "main") == branches(bare)["dev"]["id"]
    for lifted in (False, True):
        if lifted:
            bare.pulumi("state", "unprotect", "--all", "-s", "staging", "--yes")
        with pytest.raises(CommandError, match=HOOK):
            bare.pulumi("destroy", "-s", "staging", "--yes", "--skip-preview")
    bare.up("staging")
    bare.up("staging", "--expect-no-changes")


def it_gets_newer_data_and_lets_the_old_branch_go_by_two_edits(bare: World) -> None:
    bare.add_orders("dev", "dev", 5)
    both = {"staging-v1": FROM_DEV | {"retire": True}, "staging-v2": FROM_DEV}
    bare.edit("staging", branches=both, serve="staging-v2")
    bare.up("staging")
    assert push(bare, "staging") == branches(bare)["staging-v2"]["id"]
    assert bare.orders("staging", "staging-v2") == bare.orders("dev", "dev") > bare.orders("staging", "staging-v1")
    bare.edit("staging", branches={"staging-v2": FROM_DEV})
    bare.up("staging")
    assert set(branches(bare)) == {"main", "dev", "staging-v2"}
    bare.up("staging", "--expect-no-changes")


def it_is_taken_down_as_it_is_described(bare: World) -> None:
    bare.edit("staging", safety=None, branches={"staging-v2": FROM_DEV | {"retire": True}})
    bare.up("staging")
    bare.pulumi("state", "unprotect", "--all", "-s", "staging", "--yes")
    bare.pulumi("destroy", "-s", "staging", "--yes")
    assert set(branches(bare)) == {"main", "dev"}
    assert {branch for _, branch in variables(bare)} == {None}
    bare.up("dev", "--refresh", "--expect-no-changes")
