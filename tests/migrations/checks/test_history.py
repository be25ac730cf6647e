"""Folder against table: what was changed, would be skipped or run twice, or is known to one of the two alone."""

from dataclasses import replace

import pytest

from environments.migrations.checks.history import history_refusals
from environments.migrations.drizzle.folders import DrizzleFolders
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.model import Applied, Migration
from tests.migrations.folders import STEP, WHEN, applied, migration

TOOL = DrizzleJournal()
ONE, TWO, THREE = (migration(f"SELECT {n};\n", f"000{n}_m", WHEN + n * STEP) for n in range(3))
CHANGED = migration("SELECT 7;\n", TWO.tag, TWO.order)
Case = tuple[tuple[Migration, ...], tuple[Applied, ...], str]

CASES: dict[str, Case] = {
    "an applied one that was changed": (
        (ONE, CHANGED),
        applied(ONE, TWO),
        (
            f"0001_m.sql: it was changed after it ran here (the hash is {CHANGED.hash[:12]}, what ran had "
            f"{TWO.hash[:12]}), and no tool runs it again. Put the file back as it was, and bring the change as a "
            "migration of its own."
        ),
    ),
    "a late one that is dated before the newest that ran": (
        (ONE, replace(TWO, order=ONE.order + 5), THREE),
        applied(ONE, THREE),
        (
            "0001_m: it would be skipped in silence: drizzle-kit with a journal runs only what is dated after the "
            f"newest that ran (2026-11-24 10:34:29 UTC, {THREE.order}), and its when is {ONE.order + 5}. Set its "
            f'"when" in meta/_journal.json to {THREE.order + 1000} and keep it below the when of all later ones.'
        ),
    ),
    "a pending one that is dated before the one before it": (
        (ONE, THREE, replace(TWO, tag="0003_m")),
        applied(ONE),
        (
            f"0003_m: its when, {TWO.order}, is not above the {THREE.order} of 0002_m before it: where that one ran "
            f'already, it would be skipped in silence. Set its "when" in meta/_journal.json to {THREE.order + 1000}.'
        ),
    ),
    "two pending ones of one moment": (
        (ONE, TWO, replace(THREE, order=TWO.order)),
        applied(ONE),
        (
            f"0002_m: its when, {TWO.order}, is not above the {TWO.order} of 0001_m before it: where that one ran "
            f'already, it would be skipped in silence. Set its "when" in meta/_journal.json to {TWO.order + 1000}.'
        ),
    ),
    "one that ran and got a later date": (
        (ONE, replace(TWO, order=TWO.order + 5)),
        applied(ONE, TWO),
        (
            "0001_m: it ran here, and drizzle-kit with a journal would run it again: its when, "
            f"{TWO.order + 5}, was raised above what is noted. Put its when back in meta/_journal.json."
        ),
    ),
    "a row that no file explains": (
        (ONE,),
        applied(ONE, TWO),
        (
            f"applied migration {TWO.hash[:12]} (2026-11-24 10:33:29 UTC): the database has run it and the folder "
            "doesn't have it. Bring its file back from the branch that it came from, or name the folder that belongs "
            "to this database."
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_refused_with_the_rule_and_the_remedy(case: str) -> None:
    found, rows, message = CASES[case]
    assert [str(each) for each in history_refusals(found, rows, TOOL)[0]] == [message]


def test_a_folder_that_fits_its_table_is_not_refused() -> None:
    assert history_refusals((ONE, TWO, THREE), applied(ONE, TWO), TOOL) == ([], [])
    assert history_refusals((ONE, TWO, THREE), (), TOOL) == ([], [])
    assert history_refusals((), (), TOOL) == ([], [])


def test_two_applied_ones_that_changed_places_are_both_refused() -> None:
    swapped = (replace(TWO, order=ONE.order, tag=ONE.tag), replace(ONE, order=TWO.order, tag=TWO.tag))
    refusals, _ = history_refusals(swapped, applied(ONE, TWO), TOOL)
    assert [each.tag for each in refusals] == ["0000_m", "0001_m"]


def test_other_line_ends_are_a_warning_and_not_refused() -> None:
    windows = replace(migration("SELECT 1;\r\n", TWO.tag), order=TWO.order)
    refusals, harmless = history_refusals((ONE, windows), applied(ONE, TWO), TOOL)
    assert refusals == []
    assert harmless == [
        "0001_m.sql differs from what ran in its line ends alone: put '*.sql text eol=lf' into .gitattributes"
    ]


def test_dates_that_go_back_among_applied_ones_do_no_harm() -> None:
    early = replace(TWO, order=ONE.order - 5)
    refusals, harmless = history_refusals((ONE, early, THREE), applied(early, ONE), TOOL)
    assert refusals == []
    assert harmless == ["0001_m is dated before 0000_m; both ran, so it does no harm"]


def test_drizzle_1_runs_late_ones_and_that_is_a_warning() -> None:
    tool = DrizzleFolders()
    first, second = (migration("SELECT 1", f"2026112413340{n}_m", 20261124133400 + n) for n in range(2))
    refusals, harmless = history_refusals((first, second), applied(second, named=True), tool)
    assert refusals == []
    assert harmless == [f"{first.tag} is older than what ran last: other databases may have run it before that"]


def test_drizzle_1_refuses_what_was_changed_or_taken_away() -> None:
    tool = DrizzleFolders()
    first = migration("SELECT 1", "20261124133400_m", 20261124133400)
    gone = Applied("0123456789abcdef", 20261124133300, "20261124133300_gone")
    nameless = Applied(first.hash, first.order, "(a row without a name)")
    refusals, _ = history_refusals((first,), (gone, Applied("f" * 64, first.order, first.tag), nameless), tool)
    assert [each.value for each in refusals] == [
        f"{first.tag}.sql",
        "applied migration 20261124133300_gone",
        "applied migration (a row without a name)",
    ]
