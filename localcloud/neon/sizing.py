"""Compute units: which sizes Neon sells, and what one of them means to a Postgres on a small machine.

Connections follow Neon's documented table, for the smaller of the maximum and eight times the minimum; 7 are kept for
the service. Memory is scaled: a CU stands for 4 GB there and for 128 MB of shared_buffers here.
"""

from __future__ import annotations

from localcloud.neon.errors import ApiError

LARGEST_CU = 56
LARGEST_AUTOSCALING_CU = 16
WIDEST_AUTOSCALING_RANGE_CU = 8
DEFAULT_MIN_CU = 0.25
DEFAULT_MAX_CU = 2.0

_CONNECTIONS = {0.25: 104, 0.5: 209, 1: 419, 2: 839, 3: 1258, 4: 1678, 5: 2098, 6: 2517, 7: 2937, 8: 3357}
_MOST_CONNECTIONS = 4000
_RESERVED_CONNECTIONS = 7
_MIB_PER_CU = 128
_LARGEST_SHARED_BUFFERS_MIB = 2048


def require_sizes(min_cu: float, max_cu: float) -> None:
    """Refuse a pair that Neon doesn't sell."""
    for name, value in (("autoscaling_limit_min_cu", min_cu), ("autoscaling_limit_max_cu", max_cu)):
        if not _is_sold(value):
            raise ApiError(f"{name} is {value:g}: a compute has 0.25, 0.5 or a whole number of 1 to {LARGEST_CU} CU")
    if min_cu > max_cu:
        raise ApiError(
            f"autoscaling_limit_min_cu {min_cu:g} is above autoscaling_limit_max_cu {max_cu:g}: raise the maximum"
        )
    if max_cu - min_cu > WIDEST_AUTOSCALING_RANGE_CU:
        raise ApiError(
            f"autoscaling from {min_cu:g} to {max_cu:g} CU spans {max_cu - min_cu:g} CU: "
            f"the maximum may be at most {WIDEST_AUTOSCALING_RANGE_CU} CU above the minimum"
        )
    if min_cu != max_cu and max_cu > LARGEST_AUTOSCALING_CU:
        raise ApiError(
            f"autoscaling_limit_max_cu is {max_cu:g}: autoscaling ends at {LARGEST_AUTOSCALING_CU} CU, "
            "larger computes have a fixed size (minimum = maximum)"
        )


def require_suspend_timeout(seconds: int) -> None:
    """Refuse a timeout outside of 0 (default), -1 (never) and 60 seconds to a week."""
    if seconds not in (0, -1) and not 60 <= seconds <= 604_800:
        raise ApiError(
            f"suspend_timeout_seconds is {seconds}: use 0 (default of 300), -1 (never) or 60 to 604800 seconds"
        )


def settings(min_cu: float, max_cu: float) -> dict[str, str]:
    """The Postgres settings of a compute of this size; memory goes by the minimum, which is what it surely has."""
    return {
        "max_connections": str(max_connections(min_cu, max_cu)),
        "superuser_reserved_connections": str(_RESERVED_CONNECTIONS),
        "shared_buffers": f"{min(int(min_cu * _MIB_PER_CU), _LARGEST_SHARED_BUFFERS_MIB)}MB",
        "effective_cache_size": f"{int(min_cu * _MIB_PER_CU * 3)}MB",
        "work_mem": f"{max(1, min(int(min_cu * 4), 64))}MB",
        "maintenance_work_mem": f"{max(16, min(int(min_cu * 64), 1024))}MB",
        "max_worker_processes": str(12 + int(2 * max_cu)),
        "max_parallel_workers": str(max(2, min(int(max_cu), 8))),
    }


def max_connections(min_cu: float, max_cu: float) -> int:
    """Neon's rule and table."""
    return _CONNECTIONS.get(min(max_cu, 8 * min_cu), _MOST_CONNECTIONS)


def _is_sold(cu: float) -> bool:
    return cu in (0.25, 0.5) or (cu == int(cu) and 1 <= cu <= LARGEST_CU)
