"""drizzle-kit 0.x: `meta/_journal.json` lists `<tag>.sql` files, each with its `when` in ms.

Seen with drizzle-kit 0.31.11 and drizzle-orm 0.45.4: the table is `drizzle.__drizzle_migrations(id, hash, created_at)`
with created_at = `when`; all entries with a `when` above the newest created_at run in one transaction, in the
journal's order; a hash is stored and never looked at again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments.clients.postgres import Connection
from environments.migrations.drizzle.table import TABLE, rows
from environments.migrations.files import drizzle_migration, read_text
from environments.migrations.model import Applied, BrokenMigrationsError, Migration, Refusal, refuse_broken

JOURNAL = Path("meta") / "_journal.json"
_FIELDS = {"idx": int, "when": int, "tag": str}
_NUMBERED = re.compile(r"(\d{4})_")


@dataclass(frozen=True)
class DrizzleJournal:
    """drizzle-kit 0.x; `table` is where the project's drizzle config says that migrations are noted."""

    table: str = TABLE
    name: str = "drizzle-kit with a journal"
    single_transaction: bool = True

    def read(self, folder: Path) -> tuple[Migration, ...]:
        """Return the journal's entries with their files; raises BrokenMigrationsError with all that is wrong."""
        entries = _entries(folder)
        problems = [*_order_problems(entries), *_stray_files(folder, entries)]
        found: list[Migration] = []
        for entry in entries:
            if Path(entry.file).name != entry.file:
                problems.append(Refusal(repr(entry.tag), "a tag is a file's name without folders", "Rename it"))
                continue
            if not (folder / entry.file).exists():
                problems.append(_missing(entry.file))
                continue
            text = read_text(folder / entry.file)
            if isinstance(text, Refusal):
                problems.append(text)
            else:
                found.append(drizzle_migration(entry.tag, entry.file, entry.when, text))
        refuse_broken(problems)
        return tuple(found)

    def applied(self, connection: Connection) -> tuple[Applied, ...]:
        """Return the rows of drizzle's table, none if there is no such table."""
        return tuple(Applied(row.hash, row.created_at) for row in rows(connection, self.table))

    def pending(self, migrations: tuple[Migration, ...], applied: tuple[Applied, ...]) -> tuple[Migration, ...]:
        """Return what drizzle would run: whatever has a `when` above the newest that was applied."""
        newest = max((row.order for row in applied), default=None)
        return tuple(each for each in migrations if newest is None or each.order > newest)


@dataclass(frozen=True)
class _Entry:
    """One migration in the journal; `when` is in milliseconds since 1970."""

    idx: int
    when: int
    tag: str

    @property
    def file(self) -> str:
        """Where its SQL is."""
        return f"{self.tag}.sql"


def _entries(folder: Path) -> list[_Entry]:
    text = read_text(folder / JOURNAL)
    if isinstance(text, Refusal):
        raise BrokenMigrationsError(str(JOURNAL), text.rule, "Bring it back with git checkout")
    try:
        journal = json.loads(text)
    except json.JSONDecodeError as error:
        conflict = "<<<<<<<" in text
        rule = "a merge's conflict stands in it" if conflict else f"it is no JSON ({error.msg}, line {error.lineno})"
        remedy = "Keep both entries, the later merged one last with the larger when" if conflict else "Mend it"
        raise BrokenMigrationsError(str(JOURNAL), rule, remedy) from None
    entries = journal.get("entries") if isinstance(journal, dict) else None
    if not isinstance(entries, list):
        raise BrokenMigrationsError(str(JOURNAL), "it has no list of entries", "Bring it back with git checkout")
    dialect = journal.get("dialect", "postgresql")
    if dialect not in ("postgresql", "pg"):
        raise BrokenMigrationsError(
            f"dialect {dialect!r} in {JOURNAL}", "a Neon branch is Postgres", "Name a folder of dialect postgresql"
        )
    return [_entry(position, entry) for position, entry in enumerate(entries)]


def _entry(position: int, entry: Any) -> _Entry:
    found: dict[str, Any] = {key: entry.get(key) if isinstance(entry, dict) else None for key in _FIELDS}
    wrong = [key for key, kind in _FIELDS.items() if not isinstance(found[key], kind) or isinstance(found[key], bool)]
    if wrong:
        raise BrokenMigrationsError(
            f"entry {position} of {JOURNAL}",
            f"it has no usable {', '.join(wrong)}",
            "An entry is idx (a number), when (milliseconds) and tag (a file's name): mend it",
        )
    return _Entry(**found)


def _order_problems(entries: list[_Entry]) -> list[Refusal]:
    problems: list[Refusal] = []
    tags: set[str] = set()
    before = -1
    for entry in entries:
        tag, idx = entry.tag, entry.idx
        if tag in tags:
            problems.append(Refusal(tag, "it stands in the journal twice, and would run twice", "Remove one entry"))
        if idx <= before:
            rule = f"its idx {idx} is not above the {before} of the entry before it"
            problems.append(Refusal(tag, rule, f"Number the entries of {JOURNAL} upwards; two merges often share one"))
        numbered = _NUMBERED.match(tag)
        if numbered and int(numbered[1]) != idx:
            rule = f"its number and its idx {idx} in {JOURNAL} disagree"
            problems.append(Refusal(tag, rule, f"Rename tag and file to {idx:04d}_{tag[5:]}, or set idx"))
        tags.add(tag)
        before = max(before, idx)
    return problems


def _stray_files(folder: Path, entries: list[_Entry]) -> list[Refusal]:
    known = {entry.file for entry in entries}
    return [
        Refusal(path.name, f"{JOURNAL} doesn't know it, so it would never run", "Add its entry, or remove the file")
        for path in sorted(folder.glob("*.sql"))
        if path.name not in known
    ]


def _missing(file: str) -> Refusal:
    return Refusal(file, f"{JOURNAL} names it and it isn't there", "Bring the file back, or remove its entry")
