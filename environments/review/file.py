"""A review as a file of JSON lines: each line one entry, with its kind and the version of this format.

Runs are appended to a file, each with a `Start` before its entries. The review is that of the last one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from environments.errors import StateError
from environments.ids import StackName
from environments.props import decode, encode
from environments.review import model
from environments.review.model import Entry, MigrationReview, MoveReview, Refusal, Start

VERSION: Final = 1
_KINDS: Final[Mapping[str, type[Entry | Start]]] = {
    kind.__name__: kind for kind in (MoveReview, MigrationReview, model.Warning, Refusal, Start)
}


@dataclass(frozen=True, kw_only=True)
class Review:
    """What the last run in a file said, in its order; `stack` is None for a file in which no program began."""

    stack: StackName | None
    entries: tuple[Entry, ...]


def line_of(entry: Entry | Start) -> str:
    """Return an entry as a line of the file, with its end."""
    values = {"entry": type(entry).__name__, "version": VERSION, **encode(entry)}
    return f"{json.dumps(values, ensure_ascii=False)}\n"


def read_review(path: Path) -> Review:
    """Return the review that a file holds.

    Raises StateError for a line that isn't an entry, or one that a newer version of environments wrote.
    """
    stack: StackName | None = None
    entries: list[Entry] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        match _entry(line, f"{path.name}, line {number}"):
            case Start(stack=stack):
                entries = []
            case entry:
                entries.append(entry)
    return Review(stack=stack, entries=tuple(entries))


def _entry(line: str, where: str) -> Entry | Start:
    try:
        values: Any = json.loads(line)
    except ValueError as error:
        raise StateError(f"{where} is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise StateError(f"{where} is no entry of a review")
    version, kind = values.get("version"), _KINDS.get(str(values.get("entry")))
    if not isinstance(version, int) or version > VERSION:
        raise StateError(
            f"{where} has version {version} of the format, and this version of environments reads up to {VERSION}"
        )
    if kind is None:
        raise StateError(f"{where} is an entry of an unknown kind: {values.get('entry')!r:.60}")
    entry: Entry | Start = decode(kind, values, f"{where}: ")
    return entry
