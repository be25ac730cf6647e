"""The review of migrations as a terminal shows it.

SQL stands behind a bar, so that nothing in it is taken for a line of the block itself, or of the review of a move,
whose lines are indented by 2 or 12.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable

from environments.review.model import MigrationReview, PendingMigration

WIDTH = 98
_NAME, _SQL, _NOTE = "    ", "    | ", "        "
_ITEM = f"{_NAME}  - "
_KNOW = "to know"
_MOST_LINES = 40
"""Lines of SQL of one migration."""
_MOST_IN_ALL = 200
_MOST_NOTES = 40
_TITLE = re.compile(r"pending: \d+ migrations?, .*")
_HEAD = re.compile(r" {4}(\S+)  \S+")


def rendered(review: MigrationReview) -> str:
    """Return the block that a preview shows: what is pending with its SQL, and what to know of it."""
    lines = [review.title]
    left = _MOST_IN_ALL
    for migration in review.pending:
        sql = _sql_lines(migration, min(left, _MOST_LINES))
        left = max(left - len(sql), 1)
        lines += [f"{_NAME}{migration.tag}  {migration.file}", *(f"{_SQL}{line}" for line in sql)]
    return "\n".join([*lines, *_notes(review.warnings)])


def _sql_lines(migration: PendingMigration, most: int) -> list[str]:
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


def _notes(notes: Iterable[str]) -> list[str]:
    notes = list(notes)
    if not notes:
        return []
    lines = [f"{_NAME}{_KNOW}:"]
    for note in notes[:_MOST_NOTES]:
        lines += textwrap.wrap(note, WIDTH, initial_indent=_ITEM, subsequent_indent=_NOTE, break_on_hyphens=False)
    more = len(notes) - _MOST_NOTES
    return [*lines, f"{_ITEM}… and {more} more"] if more > 0 else lines


# The report still reads the rendered block back. The two functions below go once it reads the review's entries.


def pieces_of(text: str) -> list[tuple[str, str]]:
    """Return (tag, SQL) of each migration in a text with a rendered block, as far as the block holds it."""
    found: list[tuple[str, list[str]]] = []
    for line in itertools.dropwhile(lambda line: not _TITLE.fullmatch(line), text.splitlines()):
        if found and line.startswith(_SQL):
            found[-1][1].append(line.removeprefix(_SQL))
        elif head := _HEAD.fullmatch(line):
            found.append((head[1], []))
        elif found:
            break
    return [(tag, "\n".join(lines)) for tag, lines in found]


def cautions_of(text: str) -> list[str]:
    """Return what such a block says under "to know", a line each."""
    lines = text.splitlines()
    start = f"{_NAME}{_KNOW}:"
    found: list[str] = []
    for line in lines[lines.index(start) + 1 :] if start in lines else []:
        if line.startswith(_ITEM):
            found.append(line.removeprefix(_ITEM))
        elif found and line.startswith(_NOTE):
            found[-1] += f" {line.strip()}"
        else:
            break
    return found
