"""Migration folders as the tools write them, with whatever SQL a test needs in them."""

import hashlib
import json
from pathlib import Path
from typing import Any

from environments.ids import BranchKey
from environments.migrations.checks.judge import JudgeOptions, Verdict, judge
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.model import Applied, Migration, Tool
from environments.migrations.plain import PlainSql
from environments.migrations.review import review_of
from environments.review.terminal import render

WHEN = 1_795_516_349_352
STEP = 60_000
QUIET = JudgeOptions(level="off")
FIRST = 'CREATE TABLE "orders" ("id" integer PRIMARY KEY, "note" varchar(20));'


def journal(folder: Path, *files: str, **changed: dict[str, Any]) -> Path:
    """A folder of drizzle-kit 0.x; the files' tags are 0000_m, 0001_m, …, whose entries `changed` overrides."""
    (folder / "meta").mkdir(parents=True)
    entries = []
    for idx, sql in enumerate(files):
        tag = f"{idx:04d}_m"
        (folder / f"{tag}.sql").write_text(sql)
        entry = {"idx": idx, "version": "7", "when": WHEN + idx * STEP, "tag": tag, "breakpoints": True}
        entries.append(entry | changed.get(f"m{idx}", {}))
    write_journal(folder, {"version": "7", "dialect": "postgresql", "entries": entries})
    return folder


def write_journal(folder: Path, content: object) -> None:
    (folder / "meta" / "_journal.json").write_text(content if isinstance(content, str) else json.dumps(content))


def folders(folder: Path, **files: str) -> Path:
    """A folder of drizzle-kit 1.0; the keys are the migrations' folders with an m before their digits."""
    for name, sql in files.items():
        (folder / name[1:]).mkdir(parents=True)
        (folder / name[1:] / "migration.sql").write_text(sql)
        (folder / name[1:] / "snapshot.json").write_text("{}")
    return folder


def plain(folder: Path, **files: str) -> Path:
    """A folder of plain SQL; the keys are the files' names with an m before their digits, without .sql."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sql in files.items():
        (folder / f"{name[1:]}.sql").write_text(sql)
    return folder


def migration(sql: str, tag: str = "0001_m", order: int = 2) -> Migration:
    """One migration whose file is one piece."""
    return Migration(tag, f"{tag}.sql", hashlib.sha256(sql.encode()).hexdigest(), order, (sql,), sql)


def applied(*migrations: Migration, named: bool = False) -> tuple[Applied, ...]:
    """The rows that a run of these would have left."""
    return tuple(Applied(each.hash, each.order, each.tag if named else "") for each in migrations)


def verdict(*pending: str, before: str = FIRST, options: JudgeOptions = QUIET, tool: Tool | None = None) -> Verdict:
    """The verdict on SQL that is pending after `before` was applied."""
    tool = tool or DrizzleJournal()
    first = migration(before, "0000_m", 1)
    rest = tuple(migration(sql, f"{number:04d}_m", number + 1) for number, sql in enumerate(pending, start=1))
    return judge((first, *rest), applied(first, named=isinstance(tool, PlainSql)), tool, options)


def shown(found: Verdict) -> str:
    """What a terminal shows of a verdict."""
    return render(review_of(BranchKey("prod-v1"), found))


def refused(*pending: str, before: str = FIRST, options: JudgeOptions = QUIET, tool: Tool | None = None) -> list[str]:
    """Why that SQL is refused, in words."""
    return [str(each) for each in verdict(*pending, before=before, options=options, tool=tool).refusals]
