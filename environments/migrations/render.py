"""The verdict in words: what the preview says before anything runs, and the same taken apart again for a review.

SQL stands behind a bar, so that nothing in it is taken for a line of the block itself, or of the review of a move,
whose lines are indented by 2 or 12.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Iterable

from environments.migrations.checks.judge import JudgeOptions, Verdict
from environments.migrations.checks.lint import Finding, reaches
from environments.migrations.files import BREAKPOINT
from environments.migrations.model import Migration
from environments.migrations.sql import Statement, parse, shown, tells_password

WIDTH = 98
_NAME, _SQL, _NOTE = "    ", "    | ", "        "
_ITEM = f"{_NAME}  - "
_KNOW = "to know"
_MOST_LINES = 40
"""Lines of SQL of one migration."""
_MOST_IN_ALL = 200
_MOST_NOTES = 40
_LONGEST_PIECE = 20_000
_TITLE = re.compile(r"pending: \d+ migrations?, .*")
_HEAD = re.compile(r" {4}(\S+)  \S+")
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def told(verdict: Verdict) -> str:
    """Return the block that the preview shows: what is pending with its SQL, what to know of it, what is refused."""
    lines = [_title(verdict)]
    left = _MOST_IN_ALL
    for migration in verdict.pending:
        sql = _sql_lines(migration, verdict.statements, min(left, _MOST_LINES))
        left = max(left - len(sql), 1)
        lines += [f"{_NAME}{_clean(migration.tag)}  {_clean(migration.file)}", *(f"{_SQL}{line}" for line in sql)]
    lines += _notes(_KNOW, [*verdict.cautions, *_harmless(verdict.findings, verdict.options)])
    lines += _notes("refused", [str(each) for each in verdict.refusals])
    return "\n".join(lines)


def pieces(verdict: Verdict) -> list[tuple[str, str]]:
    """Return (tag, SQL) of each pending migration: text without control characters, for a fenced block of Markdown."""
    return [(_clean(each.tag), _clean(_sql(each, verdict.statements))[:_LONGEST_PIECE]) for each in verdict.pending]


def pieces_of(text: str) -> list[tuple[str, str]]:
    """Return (tag, SQL) of each migration in a text with a block that `told` wrote, as far as the block holds it."""
    found: list[tuple[str, list[str]]] = []
    for line in itertools.dropwhile(lambda line: not _TITLE.fullmatch(line), text.splitlines()):
        if found and line.startswith(_SQL):
            found[-1][1].append(line.removeprefix(_SQL))
        elif head := _HEAD.fullmatch(line):
            found.append((head[1], []))
        elif found:
            break
    return [(tag, "\n".join(lines)) for tag, lines in found]


def _harmless(findings: Iterable[Finding], options: JudgeOptions) -> list[str]:
    """Return the findings below the level, of each file and rule the first."""
    below = [each for each in findings if not reaches(each, options.level)]
    counts = Counter((each.tag, each.rule) for each in below)
    first = {(each.tag, each.rule): each for each in reversed(below)}
    alike = {key: f" — and {count - 1} more like it" if count > 1 else "" for key, count in counts.items()}
    return [f"{first[key]}{alike[key]}" for key in counts]


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


def _title(verdict: Verdict) -> str:
    count = len(verdict.pending)
    if not count:
        return f"pending: no migration ({verdict.tool.name})"
    how = "in one transaction" if verdict.tool.single_transaction or count == 1 else "each in its own transaction"
    return f"pending: {count} migration{'s' if count > 1 else ''}, {how} ({verdict.tool.name})"


def _sql_lines(migration: Migration, statements: tuple[Statement, ...], most: int) -> list[str]:
    lines = [wrapped for line in _sql(migration, statements).splitlines() for wrapped in _wrapped(_clean(line))]
    lines = [line for line in lines if line.strip()]
    if len(lines) <= most:
        return lines or ["(no SQL)"]
    return [*lines[: most - 1], f"… {len(lines) - most + 1} more lines in {_clean(migration.file)}"]


def _sql(migration: Migration, statements: tuple[Statement, ...]) -> str:
    """Return the file's SQL without what may be a password."""
    text = migration.text.replace(BREAKPOINT, "").strip()
    if "password" in text.lower() and parse(migration).refusals:
        return "(not shown: it speaks of a password, and Postgres can't read it)"
    for each in statements:
        if each.migration is migration and tells_password(each):
            text = text.replace(each.text, shown(each))
    return text


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


def _notes(title: str, notes: Iterable[str]) -> list[str]:
    notes = list(dict.fromkeys(notes))
    if not notes:
        return []
    lines = [f"{_NAME}{title}:"]
    for note in notes[:_MOST_NOTES]:
        lines += textwrap.wrap(
            _clean(" ".join(note.split())),
            WIDTH,
            initial_indent=_ITEM,
            subsequent_indent=_NOTE,
            break_on_hyphens=False,
        )
    more = len(notes) - _MOST_NOTES
    return [*lines, f"{_ITEM}… and {more} more"] if more > 0 else lines


def _clean(text: str) -> str:
    """Return text without what a terminal would obey or that hides the order of the letters."""
    return _UNSAFE.sub("�", text.replace("\r\n", "\n"))
