"""Saying an entry: what goes to the terminal, and what into the file that ENVIRONMENTS_REVIEW names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from environments import log
from environments.ids import BranchKey
from environments.review import model, tell
from environments.review.file import read_review
from environments.review.model import MoveReview, Refusal
from environments.review.telling import VARIABLE, record

MOVE = MoveReview(kind="first", title="production will serve prod-v1", lines=(), now=BranchKey("prod-v1"))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "review.jsonl"))
    return tmp_path / "review.jsonl"


def test_a_review_is_shown_and_recorded_and_a_refusal_is_only_recorded(file: Path) -> None:
    with log.collected() as said:
        tell(MOVE)
        tell(Refusal(text="no"))
    assert said == ["production will serve prod-v1"]
    assert read_review(file).entries == (MOVE, Refusal(text="no"))
    assert file.stat().st_mode & 0o077 == 0, "what a review says is for its reader alone"


def test_a_warning_is_shown_and_left_to_the_server_to_record(file: Path) -> None:
    with log.collected() as said:
        tell(model.Warning(text="look"))
    assert said == ["warning: look"]
    assert not file.exists()


def test_without_the_variable_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with log.collected():
        tell(MOVE)
    assert list(tmp_path.iterdir()) == []


def test_several_processes_write_whole_lines_to_one_file(file: Path) -> None:
    code = (
        "from environments.review.telling import record\n"
        "from environments.review.model import Refusal\n"
        "for number in range(200): record(Refusal(text=f'{number} ' * 500))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(read_review(file).entries) == 600


def test_what_is_there_is_kept(file: Path) -> None:
    record(MOVE)
    record(MOVE)
    assert read_review(file).entries == (MOVE, MOVE)
