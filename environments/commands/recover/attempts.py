"""When the stack was updated without success: what was made then may be this stack's, although its state lacks it.

A create whose reply is lost while the engine lives on is recorded as a failure, and leaves no pending operation: the
history of the stack says when that was. An engine that is killed writes no history. Its lock says when it began, until
somebody removes that, and its pending operations say which creates it had begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from environments.clients.file_backend import Lock
from environments.clients.pulumi import Checkpoint, Update, Urn

_CLOCK_SKEW: Final = timedelta(minutes=1)
_LATE: Final = timedelta(minutes=5)
"""So long after the end of an update its last request may still have its effect."""
_UPDATE: Final = "update"
_SUCCEEDED: Final = "succeeded"


@dataclass(frozen=True)
class Attempt:
    """An update without success: when it began, and when it ended, None if nobody knows."""

    began_at: datetime
    ended_at: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Tell whether what was made at `moment`, by another clock, may be this update's."""
        ended = self.ended_at is None or moment <= self.ended_at + _LATE
        return ended and self.began_at - _CLOCK_SKEW <= moment


@dataclass(frozen=True)
class Attempts:
    """The updates without success since the last one that succeeded.

    `creating` are the creates that an engine began and didn't see the end of, as the state tells: they belong to some
    update since `creating_since`, whether or not its lock is still there.
    """

    without_success: tuple[Attempt, ...]
    creating: frozenset[Urn]
    creating_since: datetime

    def cover(self, create: Urn, moment: datetime) -> bool:
        """Tell whether what was made at `moment` may be what this stack made for `create`."""
        cut_short = [Attempt(self.creating_since, None)] if create in self.creating else []
        return any(attempt.covers(moment) for attempt in (*self.without_success, *cut_short))


def attempts(history: Sequence[Update], checkpoint: Checkpoint, locks: Sequence[Lock]) -> Attempts:
    """Return the updates without success; `history` has the newest first, `locks` are of engines that are gone."""
    failed: list[Attempt] = []
    succeeded: datetime | None = None
    for update in history:
        if update.kind != _UPDATE:
            continue
        if update.result == _SUCCEEDED:
            succeeded = update.ended_at or update.began_at
            break
        failed.append(Attempt(update.began_at, update.ended_at))
    killed = [Attempt(lock.written_at, None) for lock in locks]
    creating = frozenset(create.urn for create in checkpoint.pending_creates)
    return Attempts((*failed, *killed), creating, succeeded or checkpoint.began_at)
