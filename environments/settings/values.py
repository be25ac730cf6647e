"""The forms in which a value reaches the program: what people write, and what Pulumi makes of it on the way.

Pulumi turns an unquoted YAML timestamp into Go's `2025-01-01 00:00:00 +0000 UTC`, stores `config set --path … 0.5` as a
string and gives an object that was set on the command line as a JSON string: all are accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from environments.settings.errors import broken

_FIXED_SIZES = (0.25, 0.5)
_LARGEST_CU = 56
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4})(?: \w+)?")
_DURATION = re.compile(r"(\d+)\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST_SUSPEND = 60
LONGEST_SUSPEND = 604_800
NEVER = -1
_LONGEST_LIFE = 30 * 86_400
"""Seconds: Neon takes an expiry of up to 30 days."""


@dataclass(frozen=True)
class PointInTime:
    """A state of a branch: as of a time (UTC, whole seconds since 1970) or of a log sequence number."""

    timestamp: int | None = None
    lsn: str | None = None

    def __str__(self) -> str:
        """Show it as a person would write it."""
        if self.timestamp is None:
            return f"LSN {self.lsn}"
        return datetime.fromtimestamp(self.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _compute_units(value: Any) -> float:
    try:
        units = float(value)
    except (TypeError, ValueError):
        units = -1.0
    if isinstance(value, bool) or not (units in _FIXED_SIZES or (units.is_integer() and 1 <= units <= _LARGEST_CU)):
        raise broken("Neon sells compute sizes of 0.25, 0.5 and whole numbers from 1 to 56 CU", "Choose one of these")
    return units


def _suspend(value: Any) -> int:
    if value in ("never", NEVER, str(NEVER)):
        return NEVER
    match = _DURATION.fullmatch(str(value))
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not SHORTEST_SUSPEND <= seconds <= LONGEST_SUSPEND:
        raise broken(
            "a compute suspends after 60 seconds to 7 days of idleness, or never", "Write never, 300, 5m, 1h or 7d"
        )
    return seconds


def _lifetime(value: Any) -> int:
    match = _DURATION.fullmatch(str(value))
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not _SECONDS["m"] <= seconds <= _LONGEST_LIFE:
        raise broken("a temporary branch lives for 1 minute to 30 days", "Write 12h or 7d")
    return seconds


def _timeout(value: Any) -> int:
    match = _DURATION.fullmatch(str(value))
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= _SECONDS["d"]:
        raise broken("a timeout is 1 second to 1 day", "Write 5s, 10m or 1h")
    return seconds


def _point_in_time(value: Any) -> PointInTime:
    if isinstance(value, PointInTime):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value).strip()
    if _LSN.fullmatch(text):
        return PointInTime(lsn=text.upper())
    if go := _GO_TIME.fullmatch(text):
        text = f"{go[1]}{go[2]}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise broken(
            "a point in time is a timestamp with its zone or a log sequence number",
            'Write "2026-11-01T12:00:00Z" or "0/1A2B3C4"',
        )
    return PointInTime(timestamp=int(moment.timestamp()))


ComputeUnits = Annotated[
    float, BeforeValidator(_compute_units), WithJsonSchema({"enum": [*_FIXED_SIZES, *range(1, _LARGEST_CU + 1)]})
]
Suspend = Annotated[
    int,
    BeforeValidator(_suspend),
    WithJsonSchema({"anyOf": [{"const": "never"}, {"type": ["integer", "string"], "examples": [300, "5m", "1h"]}]}),
]
Timeout = Annotated[
    int,
    BeforeValidator(_timeout),
    WithJsonSchema({"anyOf": [{"type": ["integer", "string"], "examples": ["5s", "10m"]}]}),
]
Lifetime = Annotated[
    int,
    BeforeValidator(_lifetime),
    WithJsonSchema({"anyOf": [{"type": ["integer", "string"], "examples": ["12h", "7d"]}]}),
]
At = Annotated[
    PointInTime,
    BeforeValidator(_point_in_time),
    WithJsonSchema({"type": "string", "examples": ["2026-11-01T12:00:00Z", "0/1A2B3C4"]}),
]
