"""Folders of migrations as each tool would have written them, from the same short list."""

import json
from collections.abc import Sequence
from pathlib import Path

KINDS = ("journal", "folders", "plain")
BREAKPOINT = ";--> statement-breakpoint\n"

Written = Sequence[tuple[str, str]]
"""Names and the SQL of migrations, the oldest first; statements are parted by a semicolon."""


def write(app: Path, kind: str, migrations: Written, orders: Sequence[int] | None = None) -> Path:
    """Write them as a tool's folder; `orders` are minutes, by default one after the other."""
    folder = app / "drizzle"
    minutes = orders or range(1, len(migrations) + 1)
    entries = []
    for position, ((name, sql), minute) in enumerate(zip(migrations, minutes, strict=True)):
        text = BREAKPOINT.join(sql.split(";")) + ";"
        if kind == "journal":
            tag = f"{position:04d}_{name}"
            put(folder / f"{tag}.sql", text)
            entries.append({"idx": position, "version": "7", "when": minute * 60_000, "tag": tag, "breakpoints": True})
        elif kind == "folders":
            put(folder / f"19700101{minute // 60:02d}{minute % 60:02d}00_{name}" / "migration.sql", text)
        else:
            put(folder / f"{minute:04d}_{name}.sql", sql)
    if kind == "journal":
        put(
            folder / "meta" / "_journal.json", json.dumps({"version": "7", "dialect": "postgresql", "entries": entries})
        )
    return folder


def put(path: Path, text: str) -> None:
    """Write one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def file_of(kind: str, position: int, name: str) -> str:
    """How the tool calls the file of the migration at `position`, counted from one."""
    return {
        "journal": f"{position - 1:04d}_{name}.sql",
        "folders": f"19700101{position // 60:02d}{position % 60:02d}00_{name}/migration.sql",
        "plain": f"{position:04d}_{name}.sql",
    }[kind]
