"""A point of a branch's history, as a client names it and as Postgres understands it.

A time is exact to the commit: what was committed at that microsecond or before is in, the rest isn't. A position in the
log is what `pg_current_wal_lsn()` said: everything logged before it is in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from localcloud.neon.errors import ApiError
from localcloud.neon.records import Branch, Project

_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")


@dataclass(frozen=True)
class Moment:
    """A point in time."""

    at: datetime

    def recovery(self) -> dict[str, str]:
        """The settings that end a replay here."""
        # A `Z` for the zone isn't understood in this setting.
        return {
            "recovery_target_time": self.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00"),
            "recovery_target_inclusive": "on",
        }


@dataclass(frozen=True)
class Position:
    """A log sequence number."""

    lsn: int

    def recovery(self) -> dict[str, str]:
        """The settings that end a replay here: before the first record that starts at the position or after it."""
        return {"recovery_target_lsn": lsn_text(self.lsn), "recovery_target_inclusive": "off"}


Point = Moment | Position


def parse_point(lsn: str | None, timestamp: str | None, prefix: str) -> Point | None:
    """The point that the fields `<prefix>_lsn` and `<prefix>_timestamp` name; none is the head."""
    if lsn and timestamp:
        raise ApiError(f"{prefix}_lsn and {prefix}_timestamp are both given: leave one out")
    if lsn:
        if not _LSN.fullmatch(lsn):
            raise ApiError(f"{prefix}_lsn is {lsn!r}: a log sequence number looks like 0/1DE2850")
        return Position(parse_lsn(lsn))
    if timestamp:
        return Moment(parse_moment(timestamp, f"{prefix}_timestamp"))
    return None


def parse_moment(text: str, name: str) -> datetime:
    """An RFC 3339 timestamp."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in text.upper():
        raise ApiError(f"{name} is {text!r}: a timestamp looks like 2026-02-26T12:00:00Z")
    return moment.astimezone(UTC)


def parse_lsn(text: str) -> int:
    """The number behind `1/2A`."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def lsn_text(lsn: int) -> str:
    """Like `1/2A`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def moment_text(moment: datetime) -> str:
    """In the API's format, with as many digits as it needs."""
    unit = "microseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=unit).replace("+00:00", "Z")


def require_kept(point: Point, branch: Branch, project: Project) -> None:
    """Refuse a point that lies in the future, before the branch began, or before the retention of history."""
    if isinstance(point, Position):
        if branch.start_lsn and point.lsn < parse_lsn(branch.start_lsn):
            raise ApiError(
                f"LSN {lsn_text(point.lsn)} precedes the start of branch {branch.id} at {branch.start_lsn}: "
                "name a later one, or branch from its parent"
            )
        return
    now, asked = datetime.now(UTC), moment_text(point.at)
    if point.at > now:
        raise ApiError(f"timestamp {asked} is in the future, it is {moment_text(now)}: name an earlier one")
    begun = datetime.fromisoformat(branch.begun_at)
    if point.at < begun:
        raise ApiError(
            f"timestamp {asked} precedes the start of branch {branch.id} at {moment_text(begun)}: "
            "name a later one, or branch from its parent"
        )
    oldest = now - timedelta(seconds=project.history_retention_seconds)
    if point.at < oldest:
        raise ApiError(
            f"timestamp {asked} is outside of the project's history of {project.history_retention_seconds} s, "
            f"which begins at {moment_text(oldest)}: name a later one"
        )
