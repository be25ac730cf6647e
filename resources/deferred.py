"""httpx, psycopg and pglast, loaded at their first use: 0.25 s that a preview without changes would else pay twice."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["httpx", "pglast", "psycopg", "sql"]


class _Deferred:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


if TYPE_CHECKING:
    import httpx
    import pglast
    import psycopg
    from psycopg import sql
else:
    httpx, pglast = _Deferred("httpx"), _Deferred("pglast")
    psycopg, sql = _Deferred("psycopg"), _Deferred("psycopg.sql")
