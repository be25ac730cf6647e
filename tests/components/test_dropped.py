"""What is told of a branch whose line has gone from the stack file."""

from __future__ import annotations

import pytest

from components.dropped import dropped
from components.settings import SettingsError, read_settings
from components.topology import Fate, StackExports

SETTINGS = read_settings(
    {
        "target": "production",
        "serve": "prod-v2",
        "branches": '{"prod-v2": {"from": {"stack": "dev", "branch": "dev"}}}',
    },
    "prod",
)


def before(**leaving: Fate) -> StackExports:
    return StackExports(branches={"prod-v1": "br-1", "prod-v2": "br-2"}, leaving=leaving)


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        ("retired", "it was retired: Neon deletes it with this update, with every row on it. To keep it, put its"),
        ("temporary", "it is temporary: Neon deletes it with this update, with every row on it. To keep it, put its"),
        ("released", "it was released: in Neon it lives on as it is. To keep it, put its"),
    ],
)
def test_what_becomes_of_it_is_told(fate: Fate, told: str) -> None:
    (sentence,) = dropped(SETTINGS, "prod", before(**{"prod-v1": fate}))
    assert sentence.startswith(f"prod-v1 is dropped; {told}")


def test_one_that_nobody_has_let_go_of_is_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"branches\.prod-v1: its line is gone.*with retire: true"):
        dropped(SETTINGS, "prod", before())


def test_a_stack_that_exports_nothing_yet_drops_nothing() -> None:
    assert dropped(SETTINGS, "prod", StackExports()) == []


def test_a_branch_that_is_there_is_not_dropped_whatever_may_become_of_it() -> None:
    assert dropped(SETTINGS, "prod", StackExports(branches={"prod-v2": "br-2"}, leaving={"prod-v2": "retired"})) == []
