"""The error of a move that would leave too many rows behind: the review records it with the rows as data."""

from __future__ import annotations

from environments.errors import RefusedError
from environments.review.model import RowsBehind


class LeftBehindError(RefusedError):
    """The move would leave more rows behind than the settings allow; `behind` are those rows."""

    def __init__(self, text: str, behind: RowsBehind) -> None:
        """Keep the rows as data beside the text."""
        super().__init__(text)
        self.behind = behind
