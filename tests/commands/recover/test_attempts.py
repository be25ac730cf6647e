"""When a stack was updated without success: from its history, from the locks of killed engines, and from its state."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from environments.clients.file_backend import Lock
from environments.clients.pulumi import Checkpoint, Update, Urn
from environments.commands.recover.attempts import Attempt, Attempts, attempts

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
URN = Urn("urn:pulumi:prod::shop::a:b:C::x")


def ran(kind: str, result: str, minute: int, lasted: int | None = 1) -> Update:
    began = NOON + minute * MINUTE
    return Update(kind, result, began, None if lasted is None else began + lasted * MINUTE)


def state(*, pending: bool = False) -> Checkpoint:
    resource = {"urn": URN, "type": "a:b:C", "created": (NOON - MINUTE).isoformat()}
    deployment: dict[str, Any] = {"manifest": {"time": NOON.isoformat()}, "resources": [resource]}
    if pending:
        deployment["pending_operations"] = [{"type": "creating", "resource": resource}]
    return Checkpoint.of(json.dumps({"deployment": deployment}))


def test_updates_that_failed_since_the_last_one_that_succeeded_count() -> None:
    history = [
        ran("refresh", "failed", 50),
        ran("update", "failed", 40),
        ran("update", "failed", 30, lasted=None),
        ran("update", "succeeded", 20),
        ran("update", "failed", 10),
    ]
    assert attempts(history, state(), []).without_success == (
        Attempt(NOON + 40 * MINUTE, NOON + 41 * MINUTE),
        Attempt(NOON + 30 * MINUTE, None),
    )


def test_a_killed_engine_has_no_history_and_its_lock_says_when_it_began() -> None:
    tried = attempts([ran("update", "succeeded", -20)], state(), [Lock(7, "host", NOON)])
    assert tried == Attempts((Attempt(NOON, None),), frozenset(), NOON - 19 * MINUTE)


@pytest.mark.parametrize(
    ("history", "since"),
    [([ran("update", "succeeded", -20)], NOON - 19 * MINUTE), ([ran("refresh", "succeeded", 5)], NOON - MINUTE)],
)
def test_where_somebody_removed_the_lock_the_creates_that_were_cut_short_still_tell(
    history: list[Update], since: datetime
) -> None:
    tried = attempts(history, state(pending=True), [])
    assert tried == Attempts((), frozenset({URN}), since)
    assert [tried.cover(URN, since + minute * MINUTE) for minute in (-2, 0, 90)] == [False, True, True]
    assert not tried.cover(Urn("urn:another"), since)


def test_a_moment_counts_with_the_clocks_skew_and_a_late_effect() -> None:
    attempt = Attempt(NOON, NOON + MINUTE)
    within = [-0.9, 0, 1, 5.9]
    assert [minute for minute in (-1.1, *within, 6.1) if attempt.covers(NOON + minute * MINUTE)] == within
    assert Attempt(NOON, None).covers(NOON + timedelta(days=9))
