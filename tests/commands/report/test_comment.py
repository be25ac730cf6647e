"""The comment of every kind of preview, from recorded ones; renewed by `python -m tests.commands.report.record`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from environments.commands.report.comment import LONGEST, comment, marker
from environments.commands.report.content import OtherStackError
from environments.commands.report.preview import read_preview
from environments.ids import BranchKey, StackName
from environments.review import model
from environments.review.file import Review, read_review
from environments.review.model import Entry, Line, MigrationReview, MoveReview, Refusal, RowsBehind, TableRows

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.json"))
NOTHING = Review(stack=None, entries=())


def recorded(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{case}.json").read_text())
    return found


def reviewed(case: str) -> Review:
    return read_review(GOLDEN / f"{case}.jsonl")


def said(*entries: Entry) -> Review:
    return Review(stack=None, entries=entries)


def shown(preview: dict[str, Any], review: Review = NOTHING, stack: str | None = None) -> str:
    return comment(read_preview(json.dumps(preview), stack), review)


def error(text: str, severity: str = "error") -> dict[str, Any]:
    return {"severity": severity, "message": f"{severity}: {text}\n"}


def moved(review: Review) -> MoveReview:
    return next(entry for entry in review.entries if isinstance(entry, MoveReview))


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_preview_gives_the_comment_that_was_looked_at(case: str) -> None:
    assert shown(recorded(case), reviewed(case)) == (GOLDEN / f"{case}.md").read_text()


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
    assert (
        shown(recorded(case), reviewed(case)).splitlines()[0]
        == marker(stack)
        == f"<!-- environments-review:{stack} -->"
    )


def test_a_mark_holds_nothing_that_could_end_it() -> None:
    assert marker("a --> <b>\n") == "<!-- environments-review:a_--__b__ -->".replace("a_--__b__", "a_--___b__")


def test_a_deletion_stands_in_a_warning_and_not_only_in_the_list() -> None:
    preview = recorded("promotion")
    step = next(step for step in preview["steps"] if step["op"] == "update" and "Deployment" in step["urn"])
    step["op"] = "delete-replaced"
    assert "> [!WARNING]\n> 1 resource would be deleted or replaced." in shown(preview, reviewed("promotion"))


def test_rows_left_behind_are_a_table_with_the_most_first_and_what_is_not_known_of_them() -> None:
    tables = (
        TableRows(table="orders", rows=5),
        TableRows(table="odd, name", rows=1200, rewritten=True),
        TableRows(table="customers", rows=5),
    )
    behind = RowsBehind(branch=BranchKey("prod-v1"), total=1210, tables=tables, missing="counting items took too long")
    move = replace(moved(reviewed("promotion")), behind=behind)
    section = """\
### Rows left behind

| table | rows |  |
| --- | --- | --- |
| `odd, name` | 1,200 | its columns changed, so this may be every row of it |
| `customers` | 5 |  |
| `orders` | 5 |  |

The count isn't complete: counting items took too long
"""
    assert section in shown(recorded("promotion"), said(move))


def reworded(review: Review) -> Review:
    """Return the review in other words, its facts as they are."""
    words = "entirely different words: 7 rows (x 7) stay behind | pending: 0 migrations, undo"
    entries: list[Entry] = []
    for entry in review.entries:
        match entry:
            case MoveReview():
                lines = tuple(Line(label="news", text=words) for _ in entry.lines)
                entries.append(replace(entry, title=words, lines=lines, undo=words))
            case MigrationReview():
                entries.append(replace(entry, title=words, warnings=tuple(words for _ in entry.warnings)))
            case model.Warning() | Refusal():
                entries.append(replace(entry, text=words))
    return replace(review, entries=tuple(entries))


def sections(markdown: str, *titles: str) -> list[str]:
    """Return the sections with these titles, each as far as the next one."""
    found = {part.partition("\n")[0]: part for part in f"\n{markdown}".split("\n### ")[1:]}
    return [found[title].partition("\n- ")[0] for title in titles]


@pytest.mark.parametrize(
    ("case", "titles"),
    [
        ("promotion-accepted", ["Rows left behind", "The edit that undoes it", "Lineage", "Compute"]),
        ("refused-rows", ["Rows left behind", "Lineage"]),
        ("migration-accepted", ["Pending migrations", "Lineage"]),
        ("rollback", ["The edit that undoes it", "Lineage", "Compute"]),
    ],
)
def test_other_words_in_the_review_change_no_fact_in_the_comment(case: str, titles: list[str]) -> None:
    before, after = shown(recorded(case), reviewed(case)), shown(recorded(case), reworded(reviewed(case)))
    assert after != before
    assert sections(after, *titles) == sections(before, *titles)


def test_a_refusal_is_shown_once_although_the_engine_tells_of_it_too() -> None:
    preview = recorded("refused-rows")
    why = "this is refused:\n  - a reason\n  - another one"
    preview["diagnostics"] = [error(f"environments:index:Cutover resource 'served' has a problem: {why}")]
    text = shown(preview, said(Refusal(text=why)))
    assert text.count("this is refused") == 1
    assert "## `prod`: refused, nothing was changed" in text
    assert "> this is refused:\n>\n> - a reason\n> - another one\n" in text


def test_several_resources_that_refuse_for_one_reason_give_it_once() -> None:
    text = shown(recorded("refused-rows"), said(*(Refusal(text="no way", about=f"urn:{n}") for n in range(3))))
    assert text.count("no way") == 1


def test_an_error_of_others_is_shown_as_it_is() -> None:
    preview = recorded("nothing-to-do")
    preview["diagnostics"] = [error("neon: 401 Unauthorized"), error("preview failed")]
    text = shown(preview)
    assert "refused, nothing was changed; production stays on `prod-v1`" in text
    assert "> [!CAUTION]\n> neon: 401 Unauthorized\n" in text
    assert text.count("CAUTION") == 1, "the engine's last word says nothing more"


def test_a_preview_that_failed_without_a_reason_says_so() -> None:
    preview = recorded("nothing-to-do")
    preview["diagnostics"] = [error("preview failed")]
    assert "> [!CAUTION]\n> preview failed\n" in shown(preview)


def test_warnings_are_ours_and_others_each_of_them_once() -> None:
    preview = recorded("nothing-to-do")
    preview["diagnostics"] = [error("look here", "warning"), error("the provider is old", "warning")]
    text = shown(preview, said(model.Warning(text="look here"), model.Warning(text="look here", about="urn")))
    assert text.count("look here") == 1
    assert text.count("> [!NOTE]\n> the provider is old\n") == 1


def test_what_the_plugin_says_to_the_terminal_is_not_shown_a_second_time() -> None:
    preview, review = recorded("promotion"), reviewed("promotion")
    before = shown(preview, review)
    preview["diagnostics"] += [{"severity": "info", "message": "production moves from prod-v1 to prod-v2\n  data   x"}]
    assert shown(preview, review) == before


def test_a_migration_that_is_not_judged_yet_is_a_line() -> None:
    entry = MigrationReview(branch=BranchKey("prod-v2"), title="migrations: prod-v2 isn't made yet")
    assert "### Pending migrations\n\nmigrations: prod-v2 isn't made yet\n" in shown(recorded("promotion"), said(entry))


def test_a_review_of_another_stack_is_refused() -> None:
    with pytest.raises(OtherStackError, match=r"preview is of stack prod, and the review of stack dev"):
        shown(recorded("promotion"), Review(stack=StackName("dev"), entries=()))


def test_more_branches_than_can_be_drawn_are_counted() -> None:
    preview = recorded("promotion")
    branches = json.loads(preview["config"]["environments:branches"]) | {f"extra-{number}": {} for number in range(60)}
    preview["config"]["environments:branches"] = json.dumps(branches)
    drawn = shown(preview, reviewed("promotion"))
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
    assert len(shown(huge(count), reviewed("promotion")).encode()) < LONGEST


def test_what_is_cut_leaves_whole_sections_and_says_so() -> None:
    cut = shown(huge(2000), reviewed("promotion"))
    assert cut.endswith("The rest is too long for a comment; `pulumi preview -s prod` shows it.\n")
    assert "The edit that undoes it" in cut, "what matters most stays"
    assert cut.count("```") % 2 == 0
    assert cut.count("<details>") == cut.count("</details>")


def test_a_refusal_that_never_ends_is_cut_too() -> None:
    preview = recorded("refused-rows")
    preview["diagnostics"] = [error(f"{number} {'<&' * 9000}") for number in range(99)]
    cut = shown(preview, reviewed("refused-rows"))
    assert len(cut.encode()) < LONGEST
    assert "[!CAUTION]" in cut
