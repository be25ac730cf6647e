"""Postgres' own grammar: libpg_query (Postgres 18), from the package postgast.

We read the JSON that libpg_query writes. postgast's own `parse` reads protobuf instead, which refuses a tree of more
than 100 levels: 60 texts joined by || have more. Positions in trees and of tokens count the bytes of UTF-8. Positions
in errors count characters (seen with 0.2.0; its documentation says bytes). libpg_query stops reading at a NUL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from environments.clients.lazy_imports import libpg_query, postgast


class UnreadableSqlError(Exception):
    """Postgres can't read a text: the reason, and the number of line breaks before the place."""

    def __init__(self, message: str, line: int) -> None:
        """Keep both."""
        super().__init__(message)
        self.message, self.line = message, line


class TooDeepError(UnreadableSqlError):
    """Postgres can read a text, but its tree has more levels than Python can read."""

    def __init__(self) -> None:
        """Say so; the place is unknown."""
        super().__init__("it is nested too deeply to be judged", 0)


def parse_sql(text: str) -> list[Mapping[str, Any]]:
    """Return each statement of a text: its tree (`stmt`) and its place in bytes (`stmt_location`, `stmt_len`)."""
    _refuse_nul(text)
    result = libpg_query.lib.pg_query_parse(text.encode())
    try:
        postgast.errors.check_error(result)
        found: list[Mapping[str, Any]] = json.loads(result.parse_tree)["stmts"]
    except postgast.PgQueryError as error:
        raise _unreadable(text, error) from None
    except RecursionError:
        raise TooDeepError from None
    finally:
        libpg_query.lib.pg_query_free_parse_result(result)
    return found


def parse_plpgsql(text: str) -> list[Any]:
    """Return what the body of one DO block does.

    The block must have a body: without one libpg_query ends the whole process.
    """
    _refuse_nul(text)
    try:
        return postgast.parse_plpgsql(text)
    except postgast.PgQueryError as error:
        raise _unreadable(text, error) from None
    except json.JSONDecodeError:
        raise UnreadableSqlError("its body can't be read", 0) from None
    except RecursionError:
        raise TooDeepError from None


def strings(text: str) -> list[tuple[int, int]]:
    """Return the first byte of each string constant of a text, and the byte after its last."""
    _refuse_nul(text)
    try:
        tokens = postgast.scan(text).tokens
    except postgast.PgQueryError as error:
        raise _unreadable(text, error) from None
    kinds = (postgast.pg_query_pb2.SCONST, postgast.pg_query_pb2.USCONST)
    return [(each.start, each.end) for each in tokens if each.token in kinds]


def _refuse_nul(text: str) -> None:
    """Refuse a NUL: libpg_query would take it for the end of the text, and nobody would judge the rest."""
    before, nul, _ = text.partition("\0")
    if nul:
        raise UnreadableSqlError("it holds a NUL character", before.count("\n"))


def _unreadable(text: str, error: postgast.PgQueryError) -> UnreadableSqlError:
    """Count the lines before the error; `cursorpos` begins at one, and is zero if libpg_query names no place."""
    return UnreadableSqlError(error.message, text.count("\n", 0, max(error.cursorpos - 1, 0)))
