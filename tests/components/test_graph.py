"""The graph that each stack file makes: the same for every strategy, held together by what waits for what."""

from __future__ import annotations

from typing import Any

import pytest

from environments.plan.plan import Digests, plan
from environments.plugin.registry import MODULES, resource_of
from environments.settings import read_settings
from tests.components.graph import Graph, Made, declared_secrets, graph, secret_inputs
from tests.settings.test_settings import DEV, DIGESTS, stack_file
from tests.settings.wrong_settings import FROM_DEV

TWO = {"branches": {"prod-v1": FROM_DEV, "prod-v2": FROM_DEV}, "serve": "prod-v2"}
STRATEGIES: dict[str, dict[str, Any]] = {
    "clone-and-promote": TWO,
    "pointer-swap": {**TWO, "strategy": {"kind": "pointer-swap"}},
    "standard-migration": {**TWO, "strategy": {"kind": "standard-migration"}},
}
SWAPPED = {
    "branches": {"prod-v1": FROM_DEV},
    "serve": {"stack": "dev", "branch": "dev"},
    "strategy": {"kind": "pointer-swap"},
}
NEWER = {"from": {"branch": "prod-v1"}, "project": "new-frost-12345678", "copy": "dump"}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "dev": ("dev", {}),
    "prod": ("prod", {}),
    **{name: ("prod", edits) for name, edits in STRATEGIES.items()},
    "swapped": ("prod", SWAPPED),
    "another project": ("prod", {"branches": {"prod-v1": FROM_DEV, "prod-v2": NEWER}, "serve": "prod-v2"}),
    "adopted": ("prod", {"branches": {"main": {"adopt": True}}, "serve": "main"}),
    "a pull request": (
        "pr-7",
        {
            "target": "preview",
            "git_branch": "feature/basket",
            "branches": {"pr-7": FROM_DEV | {"expires": "7d"}},
            "serve": "pr-7",
            "app": None,
            "safety": None,
            "compute": None,
        },
    ),
}


def made(shape: str, *, preview: bool = False, **more: Any) -> Graph:
    stack, edits = SHAPES[shape]
    written = stack_file("dev" if stack == "dev" else "prod", **edits | more)
    settings = read_settings(written, stack)
    return graph(plan(settings, stack, DEV, DIGESTS if settings.app else Digests()), preview=preview)


def ours(found: Graph) -> list[Made]:
    return [each for each in found.resources if each.type in MODULES]


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_own_resource_understands_its_inputs(shape: str, *, preview: bool) -> None:
    found = ours(made(shape, preview=preview))
    assert len(found) > 5
    for each in found:
        resource = resource_of(each.type)
        assert resource.strange(dict(each.inputs)) == [], each.label
        resource.decoded_inputs(dict(each.inputs))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_secret_by_its_type_leaves_the_program_as_a_secret(shape: str) -> None:
    for each in ours(made(shape)):
        assert declared_secrets(each) & set(each.inputs) <= secret_inputs(each), each.label


def test_a_change_of_strategy_renames_adds_and_drops_nothing() -> None:
    labels = {strategy: made(strategy).labels for strategy in STRATEGIES}
    assert len({tuple(each) for each in labels.values()}) == 1, labels


def test_the_pointer_moves_after_everything_is_proven_and_before_anything_follows_it() -> None:
    found = made("clone-and-promote")
    before = found.before("Cutover served")
    assert {"AppLogin prod-v2", "Migration served", "Ready served", "Deployment served", "Endpoint prod-v2"} <= before
    assert "Endpoint prod-v1" not in before, "the compute that served until now shrinks after the move"
    assert "Cutover served" in found.before("Endpoint prod-v1")
    for key in ("DATABASE_URL", "DATABASE_URL_UNPOOLED"):
        assert "Cutover served" in found.before(f"ProjectEnvironmentVariable {key}")
    assert "ProjectEnvironmentVariable DATABASE_URL" in found.before("VariableDrift served")


def test_no_edit_replaces_or_deletes_what_holds_data() -> None:
    found = made(
        "prod", branches={"prod-v1": FROM_DEV, "old": FROM_DEV | {"retire": True}, "own": FROM_DEV | {"release": True}}
    )
    branch, retired, released = (found.one(f"Branch {name}") for name in ("prod-v1", "old", "own"))
    assert set(branch.ignored) == {"parentId", "parentLsn", "parentTimestamp"}
    assert (branch.protected, retired.protected, released.protected) == (True, False, False)
    assert (branch.retained, retired.retained, released.retained) == (False, False, True)
    for label in ("Endpoint prod-v1", "AppLogin prod-v1", "Cutover served", "ProjectEnvironmentVariable DATABASE_URL"):
        assert found.one(label).protected, label


def test_dev_makes_both_projects_and_keeps_them() -> None:
    found = made("dev")
    projects = [each for each in found.resources if each.type.endswith(":Project")]
    assert len(projects) == 2
    assert all(each.protected and each.retained for each in projects)
