"""What a preview without changes doesn't use, loaded at its first use: 0.3 s that it would else pay twice."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["httpx", "migrating", "pglast", "psycopg", "sql"]


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

    from resources import migrating
else:
    httpx, pglast = _Deferred("httpx"), _Deferred("pglast")
    migrating = _Deferred("resources.migrating")
    psycopg, sql = _Deferred("psycopg"), _Deferred("psycopg.sql")
