"""Points of history as clients name them and as Postgres reads them."""

import pytest

from localcloud.neon.errors import ApiError
from localcloud.neon.points import Moment, Position, lsn_text, parse_lsn, parse_point


def test_a_time_of_any_zone_is_told_to_postgres_in_utc_without_a_z() -> None:
    point = parse_point(None, "2026-02-26T13:00:00.25+01:00", "parent")
    assert isinstance(point, Moment)
    assert point.recovery() == {
        "recovery_target_time": "2026-02-26 12:00:00.250000+00",
        "recovery_target_inclusive": "on",
    }


def test_a_position_ends_the_replay_before_what_starts_there() -> None:
    point = parse_point("1/2a", None, "parent")
    assert point == Position((1 << 32) + 0x2A)
    assert point.recovery() == {"recovery_target_lsn": "1/2A", "recovery_target_inclusive": "off"}


@pytest.mark.parametrize("text", ["0/0", "1/2A", "FFFFFFFF/FFFFFFFF"])
def test_a_position_is_shown_as_it_was_read(text: str) -> None:
    assert lsn_text(parse_lsn(text)) == text


def test_no_point_is_the_head() -> None:
    assert parse_point(None, None, "source") is None
    assert parse_point("", "", "source") is None


@pytest.mark.parametrize(
    ("lsn", "timestamp", "reason"),
    [
        ("0/1", "2026-02-26T12:00:00Z", "source_lsn and source_timestamp are both given"),
        ("0", None, "source_lsn is '0'"),
        ("0/123456789", None, "source_lsn"),
        (None, "2026-02-26", "source_timestamp is '2026-02-26'"),
        (None, "2026-02-26T12:00:00", "source_timestamp"),
        (None, "2026-02-30T12:00:00Z", "source_timestamp"),
    ],
)
def test_a_point_that_is_none_is_refused_by_its_name(lsn: str | None, timestamp: str | None, reason: str) -> None:
    with pytest.raises(ApiError, match=reason):
        parse_point(lsn, timestamp, "source")
