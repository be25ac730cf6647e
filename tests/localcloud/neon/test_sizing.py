"""Compute units: what is sold, and what it means to Postgres."""

import pytest

from localcloud.neon import sizing
from localcloud.neon.errors import ApiError


@pytest.mark.parametrize(
    ("min_cu", "max_cu", "rule"),
    [
        (0.3, 1, "0.25, 0.5 or a whole number"),
        (0.25, 0.75, "0.25, 0.5 or a whole number"),
        (57, 57, "0.25, 0.5 or a whole number"),
        (-1, 1, "0.25, 0.5 or a whole number"),
        (4, 2, "raise the maximum"),
        (1, 10, "at most 8 CU above the minimum"),
        (16, 24, "autoscaling ends at 16 CU"),
    ],
)
def test_a_size_that_neon_does_not_sell_is_refused_with_the_rule(min_cu: float, max_cu: float, rule: str) -> None:
    with pytest.raises(ApiError, match=rule):
        sizing.require_sizes(min_cu, max_cu)


@pytest.mark.parametrize(("min_cu", "max_cu"), [(0.25, 0.25), (0.5, 8), (1, 9), (8, 16), (56, 56)])
def test_a_size_that_neon_sells_is_accepted(min_cu: float, max_cu: float) -> None:
    sizing.require_sizes(min_cu, max_cu)


@pytest.mark.parametrize("seconds", [-2, 1, 59, 604_801])
def test_a_suspend_timeout_outside_of_neons_range_is_refused(seconds: int) -> None:
    with pytest.raises(ApiError, match=str(seconds)):
        sizing.require_suspend_timeout(seconds)


@pytest.mark.parametrize(
    ("min_cu", "max_cu", "connections"),
    [(0.25, 0.25, 104), (1, 1, 419), (5, 5, 2098), (8, 8, 3357), (9, 9, 4000), (0.25, 2, 839), (0.25, 8, 839)],
)
def test_connections_follow_neons_table_by_the_maximum_and_eight_minimums(
    min_cu: float, max_cu: float, connections: int
) -> None:
    assert sizing.settings(min_cu, max_cu)["max_connections"] == str(connections)
