"""A review as a file of JSON lines: each line one entry, with its kind and the version of this format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from environments.errors import StateError
from environments.props import decode, encode
from environments.review import model
from environments.review.model import Entry, MigrationReview, MoveReview, Refusal

VERSION: Final = 1
_KINDS: Final[Mapping[str, type[Entry]]] = {
    kind.__name__: kind for kind in (MoveReview, MigrationReview, model.Warning, Refusal)
}


def line_of(entry: Entry) -> str:
    """Return an entry as a line of the file, with its end."""
    values = {"entry": type(entry).__name__, "version": VERSION, **encode(entry)}
    return f"{json.dumps(values, ensure_ascii=False)}\n"


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a file, in the order in which they were said.

    Raises StateError for a line that isn't an entry, or one that a newer version of environments wrote.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    return tuple(_entry(line, f"{path.name}, line {number}") for number, line in enumerate(lines, 1) if line)


def _entry(line: str, where: str) -> Entry:
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
    entry: Entry = decode(kind, values, f"{where}: ")
    return entry
