"""`environments report`, as a workflow and as hands run it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from environments.commands.main import main
from environments.ids import StackName
from environments.review.file import line_of
from environments.review.model import Entry, Refusal, Start
from environments.review.telling import VARIABLE
from tests.commands.report.test_comment import GOLDEN

PREVIEW, REVIEW = GOLDEN / "promotion.json", GOLDEN / "promotion.jsonl"


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def run(*arguments: str, stdin: str | bytes = "", review: Path | None = REVIEW) -> Result:
    given = ["--review", str(review)] if review else []
    return CliRunner().invoke(main, ["report", *arguments, *given], input=stdin)


def test_a_preview_comes_from_a_file_or_from_stdin() -> None:
    wanted = PREVIEW.with_suffix(".md").read_text()
    assert run(str(PREVIEW)).stdout == run(stdin=PREVIEW.read_text()).stdout == wanted


def test_the_review_is_the_file_that_the_preview_wrote_it_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(REVIEW))
    assert run(str(PREVIEW), review=None).stdout == PREVIEW.with_suffix(".md").read_text()


def test_without_a_review_it_says_how_to_get_one() -> None:
    done = run(str(PREVIEW), review=None)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no review is given. Run pulumi preview with ENVIRONMENTS_REVIEW=review.jsonl")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "review.jsonl doesn't exist. pulumi preview writes it where ENVIRONMENTS_REVIEW names it"),
        (b"\xff\xfe", "review.jsonl can't be read"),
        (b"hello\n", "review.jsonl, line 1 is no JSON"),
        (line_of(Start(stack=StackName("dev"))).encode(), "the preview is of stack prod, and the review of stack dev"),
    ],
)
def test_a_review_that_is_none_is_refused_and_nothing_is_printed(text: bytes | None, why: str, tmp_path: Path) -> None:
    file = tmp_path / "review.jsonl"
    if text is not None:
        file.write_bytes(text)
    done = run(str(PREVIEW), review=file)
    assert (done.exit_code, done.stdout) == (1, "")
    assert why in done.stderr


def test_of_several_runs_in_a_file_the_last_one_is_the_review(tmp_path: Path) -> None:
    file = tmp_path / "review.jsonl"
    earlier: list[Entry | Start] = [Start(stack=StackName("prod")), Refusal(text="of yesterday")]
    file.write_text("".join(map(line_of, earlier)) + REVIEW.read_text())
    assert run(str(PREVIEW), review=file).stdout == PREVIEW.with_suffix(".md").read_text()


def test_a_refused_preview_is_a_review_too() -> None:
    refused = GOLDEN / "refused-rows.json"
    done = run(str(refused), "--stack", "prod", review=refused.with_suffix(".jsonl"))
    assert done.exit_code == 0
    assert done.stdout.startswith("<!-- environments-review:prod -->")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the input is empty"),
        ('{"steps": [', "is no JSON"),
        ("error: no stack named 'prod' found", "is no JSON"),
        ('{"version": 3, "deployment": {}}', "not that of `pulumi preview --json`"),
        ("[]", "not that of `pulumi preview --json`"),
        (b"\xff\xfe", "standard input can't be read"),
    ],
)
def test_what_is_no_preview_is_refused_and_nothing_is_printed(text: str | bytes, why: str) -> None:
    done = run(stdin=text)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert why in done.stderr


def test_a_file_that_does_not_exist_is_wrong_usage() -> None:
    done = run("nowhere.json")
    assert done.exit_code == 2
    assert "nowhere.json" in done.stderr


def test_the_stack_is_named_where_the_preview_names_none() -> None:
    assert run("--stack", "prod", stdin='{"steps": []}').stdout.startswith("<!-- environments-review:prod -->")
