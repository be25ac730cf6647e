"""What the program itself says in a review: that it begins, what it warns of, why it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from environments.ids import StackName
from environments.program import existing, read_topology, review
from environments.review import model
from environments.review.file import Review, read_review
from environments.review.model import Refusal
from environments.review.telling import VARIABLE

URN = "urn:pulumi:prod::shop::neon:index/branch:Branch::prod-v1"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Review]:
    """Return the review that was written by now."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "review.jsonl"))
    return lambda: read_review(tmp_path / "review.jsonl")


def test_a_run_that_says_nothing_writes_a_review_without_entries(written: Callable[[], Review]) -> None:
    review.begin(StackName("prod"))
    assert written() == Review(stack=StackName("prod"), entries=())


def test_a_run_begins_a_review_of_its_own(written: Callable[[], Review], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    review.begin(StackName("dev"))
    review.warn("of an earlier run")
    review.begin(StackName("prod"))
    review.warn("look here")
    assert written() == Review(stack=StackName("prod"), entries=(model.Warning(text="look here"),))
    assert said == ["of an earlier run", "look here"]


def test_a_program_that_can_not_begin_says_why(written: Callable[[], Review], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    for token in ("NEON_API_KEY", "VERCEL_API_TOKEN"):
        monkeypatch.delenv(token, raising=False)
    with pytest.raises(pulumi.RunError) as refused:
        read_topology()
    assert written() == Review(stack=StackName("prod"), entries=(Refusal(text=str(refused.value)),))
    assert "NEON_API_KEY and VERCEL_API_TOKEN are not set" in str(refused.value)


def test_a_create_that_a_hook_refuses_is_a_refusal_about_its_resource(written: Callable[[], Review]) -> None:
    def refusal(inputs: Mapping[str, Any]) -> str:
        return f"{inputs['name']} exists already"

    review.begin(StackName("prod"))
    args = pulumi.ResourceHookArgs(
        urn=URN, id="", name="prod-v1", type="neon:index/branch:Branch", new_inputs={"name": "prod-v1"}
    )
    with pytest.raises(existing.ExistsError):
        existing._recorded(refusal)(args)
    assert written().entries == (Refusal(text="prod-v1 exists already", about=URN),)
