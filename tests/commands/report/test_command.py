"""`environments report`, as a workflow and as hands run it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from environments.commands.main import main
from tests.commands.report.test_comment import GOLDEN


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["report", *arguments], input=stdin)


def test_a_preview_comes_from_a_file_or_from_stdin() -> None:
    file = GOLDEN / "promotion.json"
    wanted = file.with_suffix(".md").read_text()
    assert run(str(file)).stdout == run(stdin=file.read_text()).stdout == wanted


def test_a_refused_preview_is_a_review_too() -> None:
    done = run(str(GOLDEN / "refused-rows.json"), "--stack", "prod")
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
