"""An entry of the review as text for a terminal: at most 98 columns wide, bounded, labels in a column of ten."""

from __future__ import annotations

import textwrap

from environments.review import model
from environments.review.model import Entry, MigrationReview, MoveReview, PendingMigration, Refusal

WIDTH = 98
_LABEL = 10
_INDENT = "    "
_SQL = f"{_INDENT}| "
"""SQL stands behind a bar, so that nothing in it looks like a line of the review itself."""
_WARNING = f"{_INDENT}  - "
_MOST_LINES = 40
"""Lines of SQL of one migration."""
_MOST_IN_ALL = 200
_MOST_WARNINGS = 40


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
        text = " ".join([line.text, *(f"{number}. {item}" for number, item in enumerate(line.items, 1))]).strip()
        wrapped = textwrap.wrap(text, WIDTH - _LABEL - 2, break_on_hyphens=False)
        lines += [f"  {line.label if index == 0 else '':<{_LABEL}}{part}" for index, part in enumerate(wrapped)]
    return "\n".join(lines)


def _migrations(review: MigrationReview) -> str:
    lines = [review.title]
    left = _MOST_IN_ALL
    for migration in review.pending:
        sql = _sql(migration, min(left, _MOST_LINES))
        left = max(left - len(sql), 1)
        lines += [f"{_INDENT}{migration.tag}  {migration.file}".rstrip(), *(f"{_SQL}{line}" for line in sql)]
    return "\n".join([*lines, *_warnings(review.warnings)])


def _sql(migration: PendingMigration, most: int) -> list[str]:
    lines = [wrapped for line in migration.sql.splitlines() for wrapped in _wrapped(line)]
    lines = [line for line in lines if line.strip()]
    if len(lines) <= most:
        return lines or ["(no SQL)"]
    more = len(lines) - most + 1 + migration.more_lines
    return [*lines[: most - 1], f"… {more} more lines in {migration.file}"]


def _wrapped(line: str) -> list[str]:
    line = line.expandtabs(4).rstrip()
    indent = line[: len(line) - len(line.lstrip())][: WIDTH // 3]
    return textwrap.wrap(
        line.strip(),
        WIDTH - len(_SQL),
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )


def _warnings(warnings: tuple[str, ...]) -> list[str]:
    if not warnings:
        return []
    lines = [f"{_INDENT}to know:"]
    for warning in warnings[:_MOST_WARNINGS]:
        lines += textwrap.wrap(
            warning, WIDTH, initial_indent=_WARNING, subsequent_indent=_INDENT * 2, break_on_hyphens=False
        )
    more = len(warnings) - _MOST_WARNINGS
    return [*lines, f"{_WARNING}… and {more} more"] if more > 0 else lines
