"""drizzle-kit 0.x: what its journal and files say is read as drizzle reads it, what is broken is refused at once."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.model import Applied, BrokenMigrationsError
from tests.migrations.folders import STEP, WHEN, journal, write_journal

APP = Path(__file__).resolve().parents[3] / "app" / "drizzle"


def test_the_folder_of_the_example_app_is_read_as_drizzle_reads_it() -> None:
    shop, status = DrizzleJournal().read(APP)
    assert (shop.tag, shop.file, shop.order) == ("0000_shop", "0000_shop.sql", 1795516349352)
    assert status.hash == "9162eefc8e3608a4d651de29c6932635eedb2980d9c405be2687ea34fd139cc4"
    assert [len(each.statements) for each in (shop, status)] == [7, 2]
    assert status.statements[0] == """ALTER TABLE "orders" ADD COLUMN "status" text DEFAULT 'placed' NOT NULL;"""


def test_pending_is_whatever_is_dated_after_the_newest_that_ran(tmp_path: Path) -> None:
    tool = DrizzleJournal()
    found = tool.read(journal(tmp_path / "d", "SELECT 1", "SELECT 2", "SELECT 3"))
    assert tool.pending(found, ()) == found
    assert tool.pending(found, (Applied("of another file", WHEN + STEP),)) == found[2:]
    assert tool.pending(found, (Applied("x", WHEN + 2 * STEP), Applied("y", WHEN))) == ()


def _duplicate_entry(folder: Path) -> None:
    entry = {"idx": 0, "when": WHEN, "tag": "0000_m"}
    write_journal(folder, {"entries": [entry, entry | {"idx": 1}, {"idx": 2, "when": WHEN + 1, "tag": "0001_m"}]})


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a missing file": (
        lambda folder: (folder / "0001_m.sql").unlink(),
        "0001_m.sql: meta/_journal.json names it and it isn't there. Bring the file back, or remove its entry.",
    ),
    "a file that the journal doesn't know": (
        lambda folder: (folder / "0007_x.sql").write_text("SELECT 1"),
        "0007_x.sql: meta/_journal.json doesn't know it, so it would never run. Add its entry, or remove the file.",
    ),
    "a number that isn't the idx": (
        lambda folder: write_journal(
            folder,
            {"entries": [{"idx": 0, "when": 1, "tag": "0000_m"}, {"idx": 2, "when": 2, "tag": "0001_m"}]},
        ),
        "0001_m: its number and its idx 2 in meta/_journal.json disagree. Rename tag and file to 0002_m, or set idx.",
    ),
    "an idx that two merges share": (
        lambda folder: write_journal(
            folder,
            {"entries": [{"idx": 1, "when": 1, "tag": "0001_m"}, {"idx": 1, "when": 2, "tag": "0000_m"}]},
        ),
        (
            "0000_m: its idx 1 is not above the 1 of the entry before it. Number the entries of meta/_journal.json "
            "upwards; two merges often share one."
        ),
    ),
    "an entry that stands there twice": (
        _duplicate_entry,
        "0000_m: it stands in the journal twice, and would run twice. Remove one entry.",
    ),
    "a merge's conflict": (
        lambda folder: write_journal(folder, '{"entries": [\n<<<<<<< HEAD\n=======\n>>>>>>> main\n]}'),
        (
            "meta/_journal.json: a merge's conflict stands in it. Keep both entries, the later merged one last with "
            "the larger when."
        ),
    ),
    "a journal that is cut short": (
        lambda folder: write_journal(folder, '{"entries": ['),
        "meta/_journal.json: it is no JSON (Expecting value, line 1). Mend it.",
    ),
    "a journal without entries": (
        lambda folder: write_journal(folder, {"version": "7"}),
        "meta/_journal.json: it has no list of entries. Bring it back with git checkout.",
    ),
    "an entry without its date": (
        lambda folder: write_journal(folder, {"entries": [{"idx": 0, "when": "today", "tag": "0000_m"}]}),
        (
            "entry 0 of meta/_journal.json: it has no usable when. An entry is idx (a number), when (milliseconds) "
            "and tag (a file's name): mend it."
        ),
    ),
    "another kind of database": (
        lambda folder: write_journal(folder, {"dialect": "sqlite", "entries": []}),
        "dialect 'sqlite' in meta/_journal.json: a Neon branch is Postgres. Name a folder of dialect postgresql.",
    ),
    "a tag that leads elsewhere": (
        lambda folder: write_journal(folder, {"entries": [{"idx": 0, "when": 1, "tag": "../secrets"}]}),
        "'../secrets': a tag is a file's name without folders. Rename it.",
    ),
    "a file in another encoding": (
        lambda folder: (folder / "0001_m.sql").write_bytes("SELECT 'Grüße'".encode("latin-1")),
        (
            "byte 10 of 0001_m.sql is no UTF-8: a migration is read as UTF-8, and its hash is that of the text. Save "
            "it as UTF-8."
        ),
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_folder_is_refused_with_the_rule_and_the_remedy(breakage: str, tmp_path: Path) -> None:
    folder = journal(tmp_path / "drizzle", "SELECT 1", "SELECT 2")
    damage, message = BREAKAGES[breakage]
    damage(folder)
    with pytest.raises(BrokenMigrationsError, match=f"(?m)^{re.escape(message)}$"):
        DrizzleJournal().read(folder)


def test_all_that_is_broken_is_told_at_once(tmp_path: Path) -> None:
    folder = journal(tmp_path / "drizzle", "SELECT 1", "SELECT 2")
    (folder / "0000_m.sql").unlink()
    (folder / "0009_x.sql").write_text("")
    with pytest.raises(BrokenMigrationsError) as caught:
        DrizzleJournal().read(folder)
    assert [each.value for each in caught.value.refusals] == ["0009_x.sql", "0000_m.sql"]
