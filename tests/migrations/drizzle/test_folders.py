"""drizzle-kit 1.0: one folder per migration, no journal, and what it would pass over in silence."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from environments.migrations.drizzle.folders import DrizzleFolders
from environments.migrations.model import Applied, BrokenMigrationsError
from tests.migrations.folders import folders, journal

BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder without its file": (
        lambda folder: (folder / "20261124133410_second" / "migration.sql").unlink(),
        "20261124133410_second/: it has no migration.sql, so drizzle would pass over it. Bring the file back.",
    ),
    "a folder without a time": (
        lambda folder: (folder / "seeds").mkdir(),
        (
            "seeds/: a migration's folder starts with its time as YYYYMMDDhhmmss. Rename it, or keep other folders "
            "elsewhere."
        ),
    ),
    "a time that isn't one": (
        lambda folder: (folder / "20261324133410_x").mkdir(),
        (
            "20261324133410_x/: a migration's folder starts with its time as YYYYMMDDhhmmss. Rename it, or keep other "
            "folders elsewhere."
        ),
    ),
    "a journal that 0.x left": (
        journal,
        (
            "meta/_journal.json: drizzle-kit 1.0 refuses a folder that holds a journal of 0.x. Run drizzle-kit up, "
            "which converts the folder."
        ),
    ),
    "a file beside the folders": (
        lambda folder: (folder / "0001_x.sql").write_text("SELECT 1"),
        "0001_x.sql: drizzle-kit 1.0 reads folders, so it would never run. Move it into one as migration.sql.",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folders(
        tmp_path / "drizzle",
        m20261124133406_first='CREATE TABLE "a" ("id" int);\n--> statement-breakpoint\nSELECT 1;',
        m20261124133410_second="SELECT 2;",
    )


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_folder_is_refused_with_the_rule_and_the_remedy(breakage: str, folder: Path) -> None:
    damage, message = BREAKAGES[breakage]
    damage(folder)
    with pytest.raises(BrokenMigrationsError, match=f"(?m)^{re.escape(message)}$"):
        DrizzleFolders().read(folder)


def test_folders_are_read_in_the_order_of_their_times(folder: Path) -> None:
    first, second = DrizzleFolders().read(folder)
    assert (first.tag, first.file, first.order) == (
        "20261124133406_first",
        "20261124133406_first/migration.sql",
        20261124133406,
    )
    assert first.statements == ('CREATE TABLE "a" ("id" int);', "SELECT 1;")
    assert second.order > first.order


def test_pending_is_whatever_has_no_row_of_its_name_an_older_one_too(folder: Path) -> None:
    tool = DrizzleFolders()
    first, second = tool.read(folder)
    assert tool.pending((first, second), (Applied(second.hash, second.order, second.tag),)) == (first,)


def test_a_row_that_drizzle_0_wrote_is_known_by_its_second(folder: Path) -> None:
    tool = DrizzleFolders()
    first, second = tool.read(folder)
    assert tool.pending((first, second), (Applied("another hash", first.order),)) == (second,)
