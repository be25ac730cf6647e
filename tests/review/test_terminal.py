"""What an entry of the review looks like in a terminal."""

from __future__ import annotations

from environments.ids import BranchKey
from environments.review import model
from environments.review.model import Line, MigrationReview, MoveReview, PendingMigration, Refusal
from environments.review.terminal import WIDTH, render

LONG = "at least 1 to 4 CU, never suspends: the other stack has it so, and can't shrink it while it serves here"


def test_a_move_is_a_block_with_its_labels_in_a_column() -> None:
    review = MoveReview(
        kind="move",
        title="production moves from prod-v1 to dev/dev (Pointer Swap)",
        lines=(Line(label="data", text="nothing is copied"), Line(label="compute", text=LONG)),
        was=BranchKey("prod-v1"),
        now=BranchKey("dev/dev"),
    )
    assert render(review) == (
        "production moves from prod-v1 to dev/dev (Pointer Swap)\n"
        "  data      nothing is copied\n"
        "  compute   at least 1 to 4 CU, never suspends: the other stack has it so, and can't shrink it\n"
        "            while it serves here"
    )
    assert max(map(len, render(review).splitlines())) <= WIDTH


def test_what_a_line_lists_is_numbered() -> None:
    lines = (Line(label="steps", items=("One thing happens.", "Then another.")), Line(label="undo", text="no"))
    review = MoveReview(kind="move", title="t", lines=lines, now=BranchKey("b"))
    assert render(review) == "t\n  steps     1. One thing happens. 2. Then another.\n  undo      no"


def test_words_with_hyphens_stay_whole() -> None:
    text = "x" * (WIDTH - 20) + " order-items-of-2025"
    review = MoveReview(kind="move", title="t", lines=(Line(label="behind", text=text),), now=BranchKey("b"))
    assert render(review).splitlines()[-1] == f"{'':<12}order-items-of-2025"


def test_migrations_are_listed_with_their_sql_behind_a_bar_and_what_to_know() -> None:
    review = MigrationReview(
        branch=BranchKey("prod-v1"),
        title="pending: 1 migration",
        pending=(PendingMigration(tag="0002_more", file="0002_more.sql", sql="ALTER TABLE a\n\nADD b int;"),),
        warnings=("a lock is kept until the transaction ends",),
    )
    assert render(review) == (
        "pending: 1 migration\n"
        "    0002_more  0002_more.sql\n"
        "    | ALTER TABLE a\n"
        "    | ADD b int;\n"
        "    to know:\n"
        "      - a lock is kept until the transaction ends"
    )


def test_a_warning_and_a_refusal_are_their_text() -> None:
    assert render(model.Warning(text="look here", about="urn:x")) == "look here"
    assert render(Refusal(text="not so")) == "not so"
