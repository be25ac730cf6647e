"""What is told of a branch whose line has gone from the stack file."""

from __future__ import annotations

import pytest

from components.dropped import dropped
from components.topology import Fate

REFUSED = "nobody has let go of it: while Neon has it, this is refused. Put its line back, with retire: true"


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        ("retired", "it was retired: Neon deletes it with this update, with every row on it. To keep it, "),
        ("temporary", "it is temporary: Neon deletes it with this update, with every row on it. To keep"),
        ("released", "it was released: in Neon it lives on as it is"),
        ("kept", REFUSED),
        (None, REFUSED),
    ],
)
def test_what_becomes_of_it_is_told(fate: Fate | None, told: str) -> None:
    (sentence,) = dropped(["prod-v2"], {"prod-v1": fate, "prod-v2": None})
    assert sentence.startswith(f"prod-v1 is dropped; {told}")


def test_each_dropped_branch_has_a_sentence_in_the_order_of_the_last_update() -> None:
    sentences = dropped([], {"prod-v2": None, "prod-v1": "released"})
    assert [sentence.split(" ", 1)[0] for sentence in sentences] == ["prod-v2", "prod-v1"]


def test_an_environment_without_an_earlier_update_drops_nothing() -> None:
    assert dropped(["prod-v1"], {}) == []


@pytest.mark.parametrize("fate", ["retired", "temporary", "released", "kept", None])
def test_a_branch_that_is_there_is_not_dropped_whatever_may_become_of_it(fate: Fate | None) -> None:
    assert dropped(["prod-v1", "prod-v2"], {"prod-v1": None, "prod-v2": fate}) == []
