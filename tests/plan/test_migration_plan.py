"""How migrations are run is settled by the stack file alone, and only under Standard Migration."""

from __future__ import annotations

from typing import Any

from environments.plan.plan import Digests, plan
from environments.plan.topology import MigrationPlan, MigrationSettings
from environments.settings import read_settings
from tests.settings.test_settings import DEV, stack_file


def planned(strategy: dict[str, Any], **more: Any) -> MigrationPlan | None:
    settings = read_settings(stack_file("prod", strategy=strategy, **more), "prod")
    return plan(settings, "prod", DEV, Digests(app="a1", migrations="m1")).migration


def test_what_the_stack_file_leaves_out_has_a_default() -> None:
    settings = MigrationSettings(
        level="error",
        excluded_rules=(),
        allow_data_loss=(),
        postgres=18,
        lock_timeout=5,
        statement_timeout=300,
        run_timeout=900,
        rehearse=True,
        stop_after_rehearsal=False,
        restore_point_days=7,
        table="drizzle.__drizzle_migrations",
    )
    found = planned({"kind": "standard-migration", "migrations": "app/drizzle"})
    assert found == MigrationPlan(folder="app/drizzle", digest="m1", settings=settings)


def test_what_the_stack_file_says_reaches_the_run() -> None:
    strategy = {
        "kind": "standard-migration",
        "migrations": "sql",
        "lint": "warning",
        "lint_excluded": ["ban-char-field"],
        "allow_data_loss": ["0004_contract"],
        "lock_timeout": "2s",
        "statement_timeout": "1m",
        "run_timeout": "10m",
        "rehearse": False,
        "restore_point_days": 14,
        "table": "public.ran",
    }
    found = planned(strategy)
    assert found == MigrationPlan(
        folder="sql",
        digest="m1",
        settings=MigrationSettings(
            level="warning",
            excluded_rules=("ban-char-field",),
            allow_data_loss=("0004_contract",),
            postgres=18,
            lock_timeout=2,
            statement_timeout=60,
            run_timeout=600,
            rehearse=False,
            stop_after_rehearsal=False,
            restore_point_days=14,
            table="public.ran",
        ),
    )


def test_the_other_strategies_run_none() -> None:
    assert planned({"kind": "clone-and-promote"}) is None
