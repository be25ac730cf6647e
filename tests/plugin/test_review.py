"""What the plugin's server writes to the file of the review: every refusal of a check, and every warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from environments import log
from environments.errors import RefusedError
from environments.ids import BranchKey
from environments.plugin import server
from environments.props import Secret, hidden
from environments.resources.typed import Checked, State, Typed
from environments.review import model
from environments.review.file import read_review
from environments.review.left_behind import LeftBehindError
from environments.review.model import Entry, Refusal, RowsBehind
from environments.review.telling import VARIABLE

URN = "urn:pulumi:prod::shop::environments:index:Thing::served"
BEHIND = RowsBehind(branch=BranchKey("prod-v1"), total=2)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the resource of the tests takes."""

    name: str
    password: Secret[str]


class Thing(Typed[Inputs, Inputs]):
    """Does in its check what a test says."""

    def __init__(self, check: Callable[[Inputs], Checked[Inputs]]) -> None:
        self._check = check

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        return self._check(new)

    def create(self, new: Inputs) -> tuple[str, Inputs]:
        raise AssertionError("a check makes nothing")

    def update(self, old: State[Inputs, Inputs], new: Inputs) -> Inputs:
        raise AssertionError("a check updates nothing")


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[str], tuple[Entry, ...]]]:
    """Check a resource; return the failures that the engine gets, and the entries of the review."""
    file = tmp_path / "review.jsonl"
    monkeypatch.setenv(VARIABLE, str(file))

    def check(does: Callable[[Inputs], Checked[Inputs]], **more: Any) -> tuple[list[str], tuple[Entry, ...]]:
        monkeypatch.setattr(server, "resource_of", lambda _token: Thing(does))
        news = Struct()
        news.update({"name": "a", "password": hidden("pass-word-1"), **more})
        answer = server.Server("").Check(provider_pb2.CheckRequest(urn=URN, news=news), None)
        return [failure.reason for failure in answer.failures], read_review(file).entries if file.exists() else ()

    return check


def raising(error: Exception) -> Callable[[Inputs], Checked[Inputs]]:
    def check(_new: Inputs) -> Checked[Inputs]:
        raise error

    return check


def test_a_refusal_is_recorded_with_its_resource_and_without_its_secrets(checked: Any) -> None:
    failures, entries = checked(lambda new: Checked.of(new, f"{new.password} is too short"))
    assert failures == ["[secret] is too short"]
    assert entries == (Refusal(text="[secret] is too short", about=URN),)


def test_a_refusal_that_is_raised_is_recorded_once(checked: Any) -> None:
    failures, entries = checked(raising(RefusedError("not so")))
    assert failures == ["not so"]
    assert entries == (Refusal(text="not so", about=URN),)


def test_rows_that_would_stay_behind_are_recorded_as_data(checked: Any) -> None:
    _, entries = checked(raising(LeftBehindError("2 rows would be left behind", BEHIND)))
    assert entries == (Refusal(text="2 rows would be left behind", about=URN, behind=BEHIND),)


def test_an_input_that_is_no_input_is_a_refusal_as_well(checked: Any) -> None:
    _, entries = checked(Checked, nmae="a")
    assert entries == (Refusal(text="there is no input nmae", about=URN),)


def test_a_warning_is_recorded_with_its_resource_and_what_is_only_said_is_not(checked: Any) -> None:
    def says(new: Inputs) -> Checked[Inputs]:
        log.warn("look here")
        log.info("by the way")
        return Checked(new)

    assert checked(says) == ([], (model.Warning(text="look here", about=URN),))


def test_a_check_that_passes_records_nothing(checked: Any) -> None:
    assert checked(Checked) == ([], ())
