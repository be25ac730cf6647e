"""Rows that a move would leave behind, as data: in the review, and in the error that refuses the move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.errors import RefusedError
from environments.review.model import RowsBehind, TableRows

if TYPE_CHECKING:
    from environments.database.rows import RowCount
    from environments.ids import BranchKey


class LeftBehindError(RefusedError):
    """The move would leave more rows behind than the settings allow; `behind` are those rows."""

    def __init__(self, text: str, behind: RowsBehind) -> None:
        """Keep the rows as data beside the text."""
        super().__init__(text)
        self.behind = behind


def rows_behind(count: RowCount, branch: BranchKey) -> RowsBehind:
    """Return a count of `branch` as a part of the review."""
    tables = [TableRows(table=each.table, rows=each.rows, rewritten=each.migrated) for each in count.tables]
    return RowsBehind(branch=branch, total=count.total, tables=tuple(tables), missing=count.missing)
