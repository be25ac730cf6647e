"""An entry of the review as text for a terminal: at most 98 columns wide, labels in a column of ten."""

from __future__ import annotations

import textwrap

from environments.review import model
from environments.review.model import Entry, MigrationReview, MoveReview, Refusal

WIDTH = 98
_LABEL = 10
_INDENT = "    "
_SQL = f"{_INDENT}| "
"""SQL stands behind a bar, so that nothing in it looks like a line of the review itself."""


def render(entry: Entry) -> str:
    """Return an entry as a terminal shows it."""
    match entry:
        case MoveReview():
            return _move(entry)
        case MigrationReview():
            return _migrations(entry)
        case model.Warning() | Refusal():
            return entry.text


def _move(review: MoveReview) -> str:
    lines = [review.title]
    for line in review.lines:
        wrapped = textwrap.wrap(line.text, WIDTH - _LABEL - 2, break_on_hyphens=False)
        lines += [f"  {line.label if index == 0 else '':<{_LABEL}}{part}" for index, part in enumerate(wrapped)]
    return "\n".join(lines)


def _migrations(review: MigrationReview) -> str:
    lines = [review.title]
    for migration in review.pending:
        lines += [f"{_INDENT}{migration.tag}", *(f"{_SQL}{line}".rstrip() for line in migration.sql.splitlines())]
    if review.warnings:
        lines.append(f"{_INDENT}to know:")
    for warning in review.warnings:
        lines += textwrap.wrap(
            warning,
            WIDTH,
            initial_indent=f"{_INDENT}  - ",
            subsequent_indent=_INDENT * 2,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
