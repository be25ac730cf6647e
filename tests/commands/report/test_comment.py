"""The comment of every kind of preview, from recorded ones; renewed by `python -m tests.commands.report.record`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from environments.commands.report.comment import LONGEST, comment, marker
from environments.commands.report.preview import read_preview

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.json"))


def recorded(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{case}.json").read_text())
    return found


def shown(preview: dict[str, Any], stack: str | None = None) -> str:
    return comment(read_preview(json.dumps(preview), stack))


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_preview_gives_the_comment_that_was_looked_at(case: str) -> None:
    assert shown(recorded(case)) == (GOLDEN / f"{case}.md").read_text()


def test_the_sample_in_the_documentation_is_a_comment_as_it_is_made() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "workflows.md").read_text()
    assert f"````markdown\n{(GOLDEN / 'promotion-accepted.md').read_text()}````" in text


def test_every_kind_is_there() -> None:
    kinds = {"first", "nothing-to-do", "promotion", "promotion-accepted", "rollback", "redeploy", "dev-made", "crashed"}
    assert kinds <= set(CASES)
    assert len([case for case in CASES if case.startswith("refused-")]) >= 6


@pytest.mark.parametrize("case", CASES)
def test_the_first_line_is_the_hidden_mark_of_its_stack(case: str) -> None:
    stack = "dev" if case in ("dev-made", "refused-shrink") else "prod"
    assert shown(recorded(case)).splitlines()[0] == marker(stack) == f"<!-- environments-review:{stack} -->"


def test_a_mark_holds_nothing_that_could_end_it() -> None:
    assert marker("a --> <b>\n") == "<!-- environments-review:a_--__b__ -->".replace("a_--__b__", "a_--___b__")


def test_a_deletion_stands_in_a_warning_and_not_only_in_the_list() -> None:
    preview = recorded("promotion")
    step = next(step for step in preview["steps"] if step["op"] == "update" and "Deployment" in step["urn"])
    step["op"] = "delete-replaced"
    assert "> [!WARNING]\n> 1 resource would be deleted or replaced." in shown(preview)


def test_a_table_whose_columns_changed_is_told_apart() -> None:
    preview = recorded("promotion")
    for each in preview["diagnostics"]:
        if each["message"].startswith("  behind"):
            count = "at least 1,205 rows (odd, name 1,200 (its columns changed), orders 5)"
            each["message"] = f"  behind    {count} stay behind on prod-v1\n"
    rewritten = "| `odd, name` | 1,200 | its columns changed, so this may be every row of it |\n| `orders` | 5 |  |"
    assert rewritten in shown(preview)


def test_a_refusal_of_the_official_language_host_comes_as_one_text_and_reads_the_same() -> None:
    preview = recorded("refused-settings")
    text = "".join(each["message"].rstrip("\n") + "\n" for each in preview["diagnostics"])
    preview["diagnostics"] = [{"severity": "error", "message": text}]
    assert shown(preview) == shown(recorded("refused-settings"))


def test_a_line_that_the_review_broke_at_a_hyphen_is_put_together_again() -> None:
    preview = recorded("promotion")
    for each in preview["diagnostics"]:
        if each["message"].startswith("  stays"):
            each["message"] = "  stays     prod-\n            v1 stays - as\n            it is\n"
    assert "| what stays | prod-v1 stays - as it is |" in shown(preview)


def test_more_branches_than_can_be_drawn_are_counted() -> None:
    preview = recorded("promotion")
    branches = json.loads(preview["config"]["environments:branches"]) | {f"extra-{number}": {} for number in range(60)}
    preview["config"]["environments:branches"] = json.dumps(branches)
    drawn = shown(preview)
    assert 'more["and 22 more"]' in drawn
    assert '["prod-v1"]' in drawn
    assert '["prod-v2#60;' not in drawn


def huge(count: int) -> dict[str, Any]:
    preview = recorded("promotion")
    step = next(step for step in preview["steps"] if step["urn"].endswith("Endpoint::prod-v1"))
    preview["steps"] += [step | {"urn": f"{step['urn']}-{number}-{'é' * 300}"} for number in range(count)]
    return preview


@pytest.mark.parametrize("count", [0, 50, 200, 2000])
def test_a_comment_is_never_longer_than_github_takes(count: int) -> None:
    assert len(shown(huge(count)).encode()) < LONGEST


def test_what_is_cut_leaves_whole_sections_and_says_so() -> None:
    cut = shown(huge(2000))
    assert cut.endswith("The rest is too long for a comment; `pulumi preview -s prod` shows it.\n")
    assert "The edit that undoes it" in cut, "what matters most stays"
    assert cut.count("```") % 2 == 0
    assert cut.count("<details>") == cut.count("</details>")


def test_a_refusal_that_never_ends_is_cut_too() -> None:
    preview = recorded("refused-rows")
    preview["diagnostics"] = [
        {"severity": "error", "message": f"error: {number} {'<&' * 9000}"} for number in range(99)
    ]
    cut = shown(preview)
    assert len(cut.encode()) < LONGEST
    assert "[!CAUTION]" in cut
