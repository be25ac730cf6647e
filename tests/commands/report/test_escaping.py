"""What comes from outside is text: no markup, link, mention or graph of its own, in the comment and in the graph."""

from __future__ import annotations

import json
import re

import pytest

from environments.commands.report.markdown import block, code, escaped, prose, table
from environments.ids import BranchKey
from environments.review import model
from environments.review.model import (
    Entry,
    Line,
    MigrationReview,
    MoveReview,
    PendingMigration,
    Refusal,
    RowsBehind,
    TableRows,
)
from tests.commands.report.test_comment import error, recorded, said, shown

NASTY = 'x" --> y]:::new|`<img src=x>`| @octocat #12 www.evil.example https://evil.example\n# end\n```\n%%{init}%%'


@pytest.mark.parametrize("character", list("\\`*_[]|~$"))
def test_a_character_that_means_something_in_markdown_is_escaped(character: str) -> None:
    assert escaped(f"a{character}b") == f"a\\{character}b"


@pytest.mark.parametrize("line", ["# title", "> quote", "- item", "+ item", "1. item", "2) item"])
def test_a_line_does_not_begin_a_block(line: str) -> None:
    assert not re.match(r"[#>+-]|\d+[.)]", escaped(f"before\n{line}").splitlines()[1])


@pytest.mark.parametrize(
    "text", ["@octocat", "@org/team", "see #12", "https://evil.example", "www.evil.example", "GH-1"]
)
def test_nobody_is_called_and_nothing_is_linked(text: str) -> None:
    assert "\u200b" in escaped(text)
    assert escaped(text).replace("\u200b", "") == text


def test_html_is_shown_and_not_obeyed() -> None:
    assert escaped("<b>&amp;</b>") == "&lt;b&gt;&amp;amp;&lt;/b&gt;"


@pytest.mark.parametrize("text", ["a", "a`b", "``", "`a` and ``b``", "a|b"])
def test_code_ends_where_it_is_meant_to(text: str) -> None:
    shown_code = code(text)
    fence = re.match("`+", shown_code)
    assert fence
    assert fence[0] not in shown_code[len(fence[0]) : -len(fence[0])]
    assert text in shown_code


def test_a_block_is_not_closed_by_what_is_in_it() -> None:
    assert block("```\nhello\n````", "text").splitlines()[0] == "`````text"


def test_a_bar_or_a_line_break_starts_no_new_cell() -> None:
    assert table(["a"], [[escaped("x|y")], [code("x|y")], ["x\ny"]]).splitlines()[2:] == [
        "| x\\|y |",
        "| `x\\|y` |",
        "| x<br>y |",
    ]


def test_a_command_stands_as_code_whatever_it_holds() -> None:
    said = """run pulumi config set accept '{"branch": "a_b", "rows": 2}' -s prod, then pulumi up"""
    assert prose(said) == """run `pulumi config set accept '{"branch": "a_b", "rows": 2}' -s prod`, then `pulumi up`"""


NASTY_ENTRIES: tuple[Entry, ...] = (
    MoveReview(
        kind="move",
        title=NASTY,
        lines=(Line(label="data", text=NASTY), Line(label=NASTY, text=NASTY)),
        was=BranchKey("prod-v1"),
        now=BranchKey(NASTY),
        behind=RowsBehind(branch=BranchKey(NASTY), total=1, tables=(TableRows(table=NASTY, rows=1),), missing=NASTY),
        undo=NASTY,
    ),
    MigrationReview(
        branch=BranchKey(NASTY), title=NASTY, pending=(PendingMigration(tag=NASTY, sql=NASTY),), warnings=(NASTY,)
    ),
    MigrationReview(branch=BranchKey(NASTY), title=NASTY),
)


@pytest.mark.parametrize("more", [(), (model.Warning(text=NASTY, about=NASTY), Refusal(text=NASTY, about=NASTY))])
def test_a_nasty_name_or_text_stays_text_everywhere(more: tuple[Entry, ...]) -> None:
    preview = recorded("promotion")
    preview["config"]["environments:serve"] = NASTY
    preview["config"]["environments:branches"] = preview["config"]["environments:branches"].replace(
        '"prod-v2"', json.dumps(NASTY)
    )
    preview["diagnostics"] = [error(NASTY), error(NASTY[1:], "warning")]
    for step in preview["steps"]:
        step["urn"] = step["urn"].replace("prod-v2", NASTY)
    text = shown(preview, said(*NASTY_ENTRIES, *more))
    outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", text)
    outside = re.sub(r"\\`|(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", outside)
    assert "<img" not in outside
    assert "@octocat" not in outside
    assert "https://" not in outside
    graph = re.search(r"(?s)```mermaid\n(.*?)```", text)
    assert graph
    labels = re.findall(r'"[^"]*"', graph[1])
    assert any("#60;img" in label for label in labels)
    assert "<img" not in graph[1]
    assert "%%" not in graph[1]
    assert all(line.count('"') in (0, 2) for line in graph[1].splitlines())
