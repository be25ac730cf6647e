"""Postgres' own grammar: libpg_query (Postgres 18), which the package postgast brings along.

A tree is read from the JSON that libpg_query writes. postgast's own `parse` reads it from protobuf, which refuses a
tree of more than 100 levels: 60 texts joined by || have more. libpg_query counts positions in bytes of UTF-8, from
the first byte of the text, and reads a text only up to a NUL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from resources.clients.deferred import libpg_query, postgast


class UnreadableSqlError(Exception):
    """Postgres can't read a text: why, and how many line breaks stand before the place."""

    def __init__(self, message: str, line: int) -> None:
        """Keep both."""
        super().__init__(message)
        self.message, self.line = message, line


class TooDeepError(UnreadableSqlError):
    """Postgres can read a text, but its tree has more levels than Python reads."""


def parse_sql(text: str) -> list[Mapping[str, Any]]:
    """Return each statement of a text: its tree (`stmt`) and its place in bytes (`stmt_location`, `stmt_len`)."""
    raw = _encoded(text)
    result = libpg_query.lib.pg_query_parse(raw)
    try:
        postgast.errors.check_error(result)
        found: list[Mapping[str, Any]] = json.loads(result.parse_tree)["stmts"]
    except postgast.PgQueryError as error:
        raise _unreadable(raw, error) from None
    except RecursionError:
        raise TooDeepError("it is nested too deeply", 0) from None
    finally:
        libpg_query.lib.pg_query_free_parse_result(result)
    return found


def parse_plpgsql(text: str) -> list[Any]:
    """Return what the body of one DO block does.

    The block must have a body: without one libpg_query ends the whole process.
    """
    raw = _encoded(text)
    try:
        return postgast.parse_plpgsql(text)
    except postgast.PgQueryError as error:
        raise _unreadable(raw, error) from None
    except json.JSONDecodeError:
        raise UnreadableSqlError("its body can't be taken apart", 0) from None
    except RecursionError:
        raise TooDeepError("it is nested too deeply", 0) from None


def strings(text: str) -> list[tuple[int, int]]:
    """Return where each string constant of a text begins and ends, in bytes."""
    raw = _encoded(text)
    try:
        tokens = postgast.scan(text).tokens
    except postgast.PgQueryError as error:
        raise _unreadable(raw, error) from None
    kinds = (postgast.pg_query_pb2.SCONST, postgast.pg_query_pb2.USCONST)
    return [(each.start, each.end) for each in tokens if each.token in kinds]


def _encoded(text: str) -> bytes:
    """Return what libpg_query gets; it would take a NUL for the end, and what follows would go unseen."""
    raw = text.encode()
    before, nul, _ = raw.partition(b"\0")
    if nul:
        raise UnreadableSqlError("it holds a NUL character", before.count(b"\n"))
    return raw


def _unreadable(raw: bytes, error: postgast.PgQueryError) -> UnreadableSqlError:
    """`cursorpos` counts from one; it is zero where libpg_query names no place."""
    return UnreadableSqlError(error.message, raw.count(b"\n", 0, max(error.cursorpos - 1, 0)))
