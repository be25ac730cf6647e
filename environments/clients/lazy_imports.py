"""What a preview without changes doesn't use, loaded at its first use: 0.3 s that it would else pay twice."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["LazyModule", "httpx", "libpg_query", "postgast", "psycopg", "sql"]


class LazyModule:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


if TYPE_CHECKING:
    import httpx
    import postgast
    import psycopg
    from postgast import native as libpg_query
    from psycopg import sql

else:
    httpx = LazyModule("httpx")
    postgast, libpg_query = LazyModule("postgast"), LazyModule("postgast.native")
    psycopg, sql = LazyModule("psycopg"), LazyModule("psycopg.sql")
