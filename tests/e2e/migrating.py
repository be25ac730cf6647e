"""What a developer does to the app's folder of migrations, for the tests of Standard Migration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from localcloud.cloud import ROOT
from tests.e2e.conftest import World

STANDARD = {"kind": "standard-migration", "migrations": "app/drizzle"}
LIVE = {"phase": "live"}


def install_packages(world: World) -> None:
    """Give the app its packages, drizzle-kit among them, as `npm ci` does."""
    (world.folder / "app" / "node_modules").symlink_to(ROOT / "app" / "node_modules")


def add_migration(world: World, tag: str, statement: str) -> Path:
    """Add a migration as `drizzle-kit generate --custom` does; return its file."""
    folder = world.folder / "app" / "drizzle"
    journal = folder / "meta" / "_journal.json"
    found: dict[str, Any] = json.loads(journal.read_text())
    last = found["entries"][-1]
    entry = {"idx": last["idx"] + 1, "version": last["version"], "when": last["when"] + 60_000, "tag": tag}
    found["entries"].append(entry | {"breakpoints": True})
    journal.write_text(json.dumps(found, indent=2))
    file = folder / f"{tag}.sql"
    file.write_text(statement)
    return file


def take_out(world: World, file: Path) -> None:
    """Take the newest migration, `file`, out of the folder again."""
    journal = world.folder / "app" / "drizzle" / "meta" / "_journal.json"
    found: dict[str, Any] = json.loads(journal.read_text())
    assert found["entries"].pop()["tag"] == file.stem
    journal.write_text(json.dumps(found, indent=2))
    file.unlink()


def columns(table: str, column: str) -> str:
    """Return the query that counts the columns of that name."""
    return f"SELECT count(*) FROM information_schema.columns WHERE table_name = '{table}' AND column_name = '{column}'"  # noqa: S608


def flat(text: object) -> str:
    """Return text in one line, however it was wrapped."""
    return " ".join(str(text).split())
