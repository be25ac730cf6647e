"""Tables that exist although no migration ran are refused before a run stumbles over them."""

import pytest

from environments.migrations.checks.untracked_tables import untracked_tables
from tests.migrations.folders import verdict
from tests.resources.computes import Session, run

pytestmark = pytest.mark.slow


def refused(owner: Session, *pending: str) -> list[str]:
    return [str(each) for each in untracked_tables(owner, verdict(*pending).statements)]


def test_the_first_table_of_each_migration_is_refused_with_the_remedy(owner: Session) -> None:
    run(owner, 'CREATE TABLE one (n int); CREATE SCHEMA s; CREATE TABLE s.two (n int); CREATE TABLE "Th ree" (n int)')
    found = refused(
        owner, "CREATE TABLE one (n int); CREATE TABLE s.two (n int)", "SELECT 1", 'CREATE TABLE "Th ree" (n int)'
    )
    assert [each.split(":")[0] for each in found] == ["0001_m.sql", "0003_m.sql"]
    assert "though no migration is noted as applied" in found[0]
    assert found[0].endswith("If 0001_m made it, note 0001_m as applied: docs/migrations.md has the statement.")


def test_a_table_of_another_schema_or_one_that_may_exist_is_not_refused(owner: Session) -> None:
    run(owner, "CREATE TABLE one (n int)")
    assert (
        refused(owner, "CREATE TABLE IF NOT EXISTS one (n int)", "CREATE TABLE s.one (n int)", "CREATE TABLE o (n int)")
        == []
    )
