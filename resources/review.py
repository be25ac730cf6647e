"""The review: what a move of the pointer means for the data, in plain words, before it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.rows import RowCount


def review(olds: dict[str, Any], news: dict[str, Any], count: RowCount) -> str:
    """Return the review of a move from the branch of `olds` to the one of `news`, readable at 100 columns."""
    was, now = olds["served_name"], news["served_name"]
    pause = "writes pause for about a second" if news["guard"]["fence_first"] else "nothing pauses"
    behind = "nothing: no row was written to it since it began" if not count.total else str(count)
    return "\n".join(
        [
            f"The pointer moves from {was} to {now}.",
            f"  left behind on {was}: {behind}",
            f"  {was} stays as it is and becomes read-only for the app; {pause}, reads go on",
            f"  to undo: pulumi config set serve {was}, then pulumi up",
        ]
    )
