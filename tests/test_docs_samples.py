"""What the documents show of the program's output is what the program prints."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from environments.cutover import probe as probing
from environments.cutover.compare_rights import lost_text
from environments.cutover.guard import require_allowed
from environments.cutover.pointer import CopiedFrom, HealthCheck, Lineage
from environments.cutover.probe import UnprovenError, probe_proven
from environments.cutover.review import move_review
from environments.database.lost_rights import compare
from environments.database.marker import NEVER, Claim
from environments.database.rights import ObjectRights, Rights
from environments.database.rows import RowCount
from environments.ids import BranchId, BranchKey, Lsn, RoleName, StackName, Transaction
from environments.migrations.checks.judge import JudgeOptions, Verdict, judge
from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.model import Migration
from environments.migrations.rehearsal.locks import HeldLock
from environments.migrations.rehearsal.receipt import Receipt
from environments.migrations.restore_point import RestorePoint
from environments.review.left_behind import LeftBehindError
from environments.review.model import TableRows
from environments.review.terminal import render
from tests.cutover.pointers import GUARD, pointer
from tests.migrations.folders import FIRST, WHEN, applied, migration, shown
from tests.test_docs import ROOT

if TYPE_CHECKING:
    from environments.database.session_watch import SessionWatch


def document(name: str) -> str:
    """Return a document in one line, so that a sample may be wrapped anywhere."""
    return " ".join((ROOT / "docs" / name).read_text().split())


def one_line(text: str) -> str:
    return " ".join(text.split())


def judged(*pending: Migration) -> Verdict:
    first = migration(FIRST + 'CREATE TABLE "more" ("status" text);', "0000_m", 1)
    return judge((first, *pending), applied(first), DrizzleJournal(), JudgeOptions(level="off"))


def receipt(seconds: float, overhead: float, lock: HeldLock) -> Receipt:
    return Receipt(digest="", at="", seconds=seconds, overhead=overhead, statements=(), locks=(lock,), rows=())


def test_the_refusal_of_rows_that_would_be_left_behind() -> None:
    count = RowCount((TableRows(table="order_items", rows=1), TableRows(table="orders", rows=1)))
    with pytest.raises(LeftBehindError) as refused:
        require_allowed(GUARD, count, BranchKey("prod-v1"))
    assert str(refused.value) in document("strategies.md")


def orders(role: str, **changes: Any) -> Rights:
    """What a role may do with one table."""
    may = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
    table = ObjectRights(kind="table", name="public.orders", oid=1, owner=RoleName("neondb_owner"), may=may)
    return Rights(role=RoleName(role), exists=True, objects=(replace(table, **changes),))


def test_the_refusal_of_a_login_that_sees_no_row() -> None:
    login, owner = orders("app_prod_1"), orders("neondb_owner")
    found = compare(login, orders("app_prod_1", secured=True, rows="none"), owner, was="prod-v1", now="prod-v2")
    assert lost_text("prod-v2", found.losses) in document("strategies.md")


def test_the_refusal_of_an_app_whose_session_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "probe", lambda *_: None)
    monkeypatch.setattr(probing, "_PATIENCE_UNSEEN", -1)
    blind = cast("SessionWatch", SimpleNamespace(role="app_prod_1", saw=lambda _seconds: False))
    health = HealthCheck(path="/health", status=200)
    with pytest.raises(UnprovenError) as refused:
        probe_proven("shop-x1.vercel.app", health, BranchId("br-2"), blind, called="prod-v2")
    assert f"{refused.value}. Production is as it was." in document("operating.md")


def test_the_refusal_of_a_branch_that_is_too_small() -> None:
    needs = Claim(StackName("prod"), min_cu=1, max_cu=4, suspend_seconds=NEVER, protected=False)
    lacks = "; ".join(needs.lacks(0.25, 1, 300, protected=False))
    assert f"branch dev of stack dev can't carry prod: {lacks}. In" in document("strategies.md")
    assert f"write dev: {{{needs.settings()}}} under branches" in document("strategies.md")


def test_the_review_of_a_move_to_a_newer_postgres() -> None:
    copy = CopiedFrom(source_branch=BranchId("br-prod-v2"), seconds=41.5)
    new = replace(
        pointer("prod-v3"), lineage=Lineage(source=BranchKey("prod-v2"), fork=None, lsn=None, copy=copy), guard=GUARD
    )
    printed = render(move_review(pointer("prod-v2"), new, RowCount(()), (), again=False, copied=True)).splitlines()
    sample = (
        (ROOT / "docs" / "upgrade.md").read_text().partition("   ```\n   production moves")[2].partition("   ```")[0]
    )
    shown_lines = [line.removeprefix("   ") for line in f"   production moves{sample}".splitlines()]
    assert len(shown_lines) == 5
    assert [line for line in shown_lines if line not in printed] == []


def test_the_review_of_a_migration_and_its_refusal() -> None:
    column = migration('ALTER TABLE "orders" ADD COLUMN "reference" text;', "0002_reference", WHEN)
    assert f"info: {shown(judged(column))}\n" in (ROOT / "docs" / "migrations.md").read_text()
    contract = migration('ALTER TABLE "orders" DROP COLUMN "status";', "0004_contract", WHEN)
    assert f"migration refused: {one_line(str(judged(contract).refusals[0]))}" in document("migrations.md")


def test_the_receipts_of_rehearsals_and_the_way_back() -> None:
    text = (ROOT / "docs" / "migrations.md").read_text()
    column = receipt(0.01, 1.0, HeldLock(table="orders", mode="AccessExclusiveLock", seconds=0.006))
    rows = receipt(3.02, 1.1, HeldLock(table="orders", mode="RowExclusiveLock", seconds=3.017, rows=200_004))
    assert f"info: prod-v1: {column}\n" in text
    assert f"info: prod-v1: {rows}\n" in text
    point = RestorePoint(BranchId("br"), "before-0002_reference", "", Lsn("0/5000120"), Transaction("1"))
    assert point.way_back(BranchKey("prod-v1")) in document("migrations.md")
