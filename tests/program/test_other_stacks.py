"""What other stacks export, read from a stand-in for the engine that answers what the real one (3.259) was seen to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from environments.plan.topology import StackExports
from environments.program import other_stacks
from environments.program.other_stacks import UnreadableStackError, read_exports

OUTPUTS = {"projects": {"neon": "late-frost-12345678", "vercel": "prj_1"}, "branches": {"dev": "br-dev"}, "served": {}}
EXPORTS = StackExports("late-frost-12345678", "prj_1", {"dev": "br-dev"})

_READ = "pulumi:pulumi:readStackOutputs"
_FAILED = f"invoke of {_READ} failed: invocation of {_READ} returned an error: "
_BLOB = 'failed to load checkpoint: blob (key ".pulumi/stacks/environments/dev.json")'
UNKNOWN = 'unknown stack "organization/environments/dev"'
EMPTY_NOTE = "failed to load checkpoint: EOF"
HALF_A_NOTE = f"{_BLOB} (code=Unknown): unexpected EOF"
ZEROES_IN_THE_NOTE = f"{_BLOB} (code=Unknown): invalid character '\\x00' looking for beginning of value"
EMPTY_STATE = "failed to load checkpoint: place 1: unexpected end of JSON input"
HALF_A_COMPRESSED_STATE = "failed to load checkpoint: place 1: unexpected EOF"
ZEROES_IN_THE_STATE = "failed to load checkpoint: place 1: invalid character '\\x00' looking for beginning of value"
UNREACHABLE = (
    f"{_BLOB} (code=Unknown): operation error S3: HeadObject, exceeded maximum number of attempts, 3, https response "
    "error StatusCode: 0, RequestID: , HostID: , request send failed, "
)
REFUSED = f'{UNREACHABLE}Head "http://127.0.0.1:9/b/dev.json": dial tcp 127.0.0.1:9: connect: connection refused'
CUT_OFF = f'{UNREACHABLE}Head "http://127.0.0.1:9/b/dev.json": EOF'
GONE = f"{_BLOB} (code=NotFound): open /backend/.pulumi/stacks/environments/dev.json: no such file or directory"

NOTE = [EMPTY_NOTE, HALF_A_NOTE, ZEROES_IN_THE_NOTE]
STATE = [EMPTY_STATE, HALF_A_COMPRESSED_STATE, ZEROES_IN_THE_STATE]


class Engine:
    """Answers each read with the next of `answers`, the last one for ever: outputs, or the text of an error."""

    def __init__(self, *answers: dict[str, Any] | str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.slept = 0.0

    def invoke(self, token: str, arguments: dict[str, str]) -> SimpleNamespace:
        assert token == _READ
        self.asked.append(arguments["name"])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise Exception(_FAILED + answer)  # noqa: TRY002, TRY004 - as the SDK does
        return SimpleNamespace(value={"name": arguments["name"], "outputs": answer, "secretOutputNames": []})

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
    def answering(*answers: dict[str, Any] | str) -> Engine:
        engine = Engine(*answers)
        monkeypatch.setattr(pulumi.runtime, "invoke", engine.invoke)
        monkeypatch.setattr(other_stacks, "time", engine)
        monkeypatch.setattr(pulumi, "get_organization", lambda: "organization")
        monkeypatch.setattr(pulumi, "get_project", lambda: "environments")
        return engine

    return answering


def test_each_stack_is_read_once_by_its_full_name_and_answers_for_its_environment(
    engine: Callable[..., Engine],
) -> None:
    asked = engine(OUTPUTS)
    assert read_exports({"dev": "development", "staging": "staging"}) == {"dev": EXPORTS, "staging": EXPORTS}
    assert asked.asked == ["organization/environments/development", "organization/environments/staging"]
    assert asked.slept == 0


@pytest.mark.parametrize("answer", [UNKNOWN, {}])
def test_a_stack_that_does_not_exist_or_never_came_up_exports_nothing(
    engine: Callable[..., Engine], answer: dict[str, Any] | str
) -> None:
    asked = engine(answer)
    assert read_exports({"dev": "dev"}) == {"dev": StackExports()}
    assert len(asked.asked) == 1


@pytest.mark.parametrize("answer", [*NOTE, *STATE, GONE])
def test_a_stack_that_is_being_written_is_read_again(engine: Callable[..., Engine], answer: str) -> None:
    asked = engine(answer, answer, OUTPUTS)
    assert read_exports({"dev": "dev"}) == {"dev": EXPORTS}
    assert len(asked.asked) == 3
    assert 0 < asked.slept < 1


def test_a_stack_that_is_removed_while_it_is_read_exports_nothing(engine: Callable[..., Engine]) -> None:
    engine(GONE, UNKNOWN)
    assert read_exports({"dev": "dev"}) == {"dev": StackExports()}


@pytest.mark.parametrize(
    ("answer", "way_out"),
    [
        *((answer, "dev.json.attrs, is half-written: the engine was killed while it wrote it") for answer in NOTE),
        *((answer, "dev.json, is damaged. The engine keeps the state before the last one beside") for answer in STATE),
    ],
)
def test_what_stays_half_written_is_an_error_that_names_the_stack_and_the_way_out(
    engine: Callable[..., Engine], answer: str, way_out: str
) -> None:
    asked = engine(answer)
    with pytest.raises(UnreadableStackError) as refused:
        read_exports({"dev": "dev"})
    assert str(refused.value).startswith("The exports of stack dev can't be read; nothing was changed.")
    assert way_out in str(refused.value)
    assert "run environments recover -s dev" in str(refused.value)
    assert "checkpoint" not in str(refused.value)
    assert 2 < asked.slept < 5


@pytest.mark.parametrize(
    "answer",
    [
        "failed to load checkpoint: unsupported checkpoint version 9",
        f"{_BLOB} (code=Unknown): open /backend/dev.json: permission denied",
        REFUSED,
        CUT_OFF,
        "a stack name may only contain alphanumeric, hyphens, underscores, or periods: invalid character ' ' at 3",
    ],
)
def test_any_other_error_is_told_at_once_in_the_words_of_the_engine(engine: Callable[..., Engine], answer: str) -> None:
    asked = engine(answer)
    with pytest.raises(UnreadableStackError) as refused:
        read_exports({"dev": "dev"})
    told = f"The exports of stack dev can't be read; nothing was changed. The engine says: {answer}"
    assert str(refused.value) == told
    assert asked.slept == 0
