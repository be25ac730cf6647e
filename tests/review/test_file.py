"""The file of a review: every entry comes back from it as it was, and what isn't an entry is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from environments.errors import StateError
from environments.ids import BranchKey
from environments.review import model
from environments.review.file import VERSION, line_of, read_review
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

BEHIND = RowsBehind(
    branch=BranchKey("prod-v1"),
    total=3,
    tables=(TableRows(table="orders", rows=3, rewritten=True),),
    missing="counting items took longer than 20 s",
)
ENTRIES: tuple[Entry, ...] = (
    MoveReview(
        kind="move",
        title="production moves\nto “prod-v2”",
        lines=(Line(label="data", text="a"), Line(label="undo", text="b")),
        was=BranchKey("prod-v1"),
        now=BranchKey("prod-v2"),
        behind=BEHIND,
        undo="pulumi config set serve prod-v1, then pulumi up",
    ),
    MoveReview(kind="first", title="t", lines=(), now=BranchKey("prod-v1")),
    MigrationReview(
        branch=BranchKey("prod-v1"),
        title="pending: 1 migration",
        pending=(PendingMigration(tag="0001_a", sql="SELECT 1;\nSELECT 2;"),),
        warnings=("know this",),
    ),
    model.Warning(text="do something", about="urn:pulumi:prod::x::y::z"),
    Refusal(text="no", about="urn", behind=BEHIND),
    Refusal(text="no"),
)


def test_every_entry_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "review.jsonl"
    file.write_text("".join(map(line_of, ENTRIES)), encoding="utf-8")
    assert read_review(file).entries == ENTRIES
    assert len(file.read_text(encoding="utf-8").splitlines()) == len(ENTRIES), "one line each"


def test_a_line_names_its_kind_and_the_version_of_the_format() -> None:
    assert json.loads(line_of(ENTRIES[4])) == {
        "entry": "Refusal",
        "version": 1,
        "text": "no",
        "about": "urn",
        "behind": {
            "branch": "prod-v1",
            "total": 3,
            "tables": [{"table": "orders", "rows": 3, "rewritten": True}],
            "missing": "counting items took longer than 20 s",
        },
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 2 is no JSON"),
        ("[]", "line 2 is no entry of a review"),
        (json.dumps({"entry": "Refusal", "version": VERSION + 1, "text": "x"}), "version 2 of the format"),
        (json.dumps({"entry": "Refusal", "text": "x"}), "version None of the format"),
        (json.dumps({"entry": "Poem", "version": 1, "text": "x"}), "unknown kind: 'Poem'"),
        (json.dumps({"entry": "Refusal", "version": 1}), "text is missing"),
        (json.dumps({"entry": "Refusal", "version": 1, "text": "x", "behind": {"branch": "b"}}), "behind.total"),
    ],
)
def test_a_line_that_is_no_entry_is_refused_with_its_place(tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "review.jsonl"
    file.write_text(f"{line_of(ENTRIES[0])}{line}\n", encoding="utf-8")
    with pytest.raises(StateError, match=why):
        read_review(file)
