"""Branches that left the stack file since the last update: what becomes of them, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from environments.ids import BranchKey, DeletionPolicy

_FOLLOWS: dict[DeletionPolicy, str] = {
    "delete": "It was retired: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "expire": "It is temporary: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "orphan": "It was released: it stays in Neon as it is, and this stack no longer owns it",
    "retain": "It has neither retire: true nor release: true, so pulumi up is refused as long as Neon has it. Put its "
    "line back with retire: true (Neon then deletes it with its rows) or release: true (it stays in Neon), run "
    "pulumi up, then drop the line",
}


def dropped(kept: Collection[BranchKey], before: Mapping[BranchKey, DeletionPolicy]) -> list[str]:
    """Return a sentence for each branch that the environment owned `before` and that isn't among those `kept`.

    The engine itself refuses to delete a branch that is to be retained.
    """
    return [f"{key} is dropped. {_FOLLOWS[policy]}" for key, policy in before.items() if key not in kept]
