"""What a run of migrations came to: which were applied, and how long each statement took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StatementTime:
    """How long one statement took: which of the file's it is, counted from one. Its text may hold secrets."""

    file: str
    number: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """The tags that were applied, when the run ended, and how long it took.

    `warning` is what the reader should know although the run worked.
    """

    applied: tuple[str, ...]
    at: str
    seconds: float
    statements: tuple[StatementTime, ...] = ()
    warning: str = ""
