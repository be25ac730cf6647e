"""Branches that left the stack file since the last update: what becomes of them, in words.

Our own code keeps a branch that is neither retired nor released. The engine's `protect` does not: where it refuses, the
engine prints the command that lifts it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from environments.branches.source import Source, WantedBranch
from environments.errors import RefusedError
from environments.ids import BranchId, BranchKey, DeletionPolicy, NeonProject
from environments.props import Unknown

NEITHER: Final = "neither retire: true nor release: true"

_FOLLOWS: dict[DeletionPolicy, str] = {
    "delete": "It was retired: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "expire": "It is temporary: Neon deletes it in this update, with every row on it. To keep it, put its line back",
    "orphan": "It was released: it stays in Neon as it is, and this stack no longer owns it",
}


class KeptError(RefusedError):
    """A branch was to be deleted that is neither retired nor released."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A branch as the next update finds it in Neon, and as it recognises it under another key."""

    project: NeonProject | Unknown
    id: BranchId | Unknown
    source: Source
    wanted: WantedBranch


def dropped(kept: Collection[BranchKey], before: Mapping[BranchKey, DeletionPolicy]) -> list[str]:
    """Return a sentence for each branch that the environment owned `before`, may let go of, and no longer lists."""
    gone = {key: policy for key, policy in before.items() if key not in kept}
    return [f"{key} is dropped. {_FOLLOWS[policy]}" for key, policy in gone.items() if policy in _FOLLOWS]


def dropped_but_kept(kept: Collection[BranchKey], before: Mapping[BranchKey, DeletionPolicy]) -> list[BranchKey]:
    """Return the branches that the environment owned `before`, may not let go of, and no longer lists."""
    return [key for key, policy in before.items() if policy == "retain" and key not in kept]


def renamed_key(
    key: BranchKey, before: Mapping[BranchKey, Listed], now: Mapping[BranchKey, Listed]
) -> BranchKey | None:
    """Return the new key under which the stack file seems to list the dropped branch `key`; None if there is none.

    It is the only new key with the same source and the same settings but for the name, and no other dropped branch has
    these.
    """
    wanted = _but_for_the_name(before[key])
    gone = [each for each in before if each not in now and _but_for_the_name(before[each]) == wanted]
    new = [each for each in now if each not in before and _but_for_the_name(now[each]) == wanted]
    return new[0] if gone == [key] and len(new) == 1 else None


def kept_refusal(key: BranchKey) -> str:
    """Return why branch `key` is not deleted, with the edit that keeps its rows first."""
    return (
        f"branch {key} has {NEITHER}, so it is not deleted. Nothing of it was deleted. To keep it, put its line back "
        "into environments:branches. If this stack is to let it live on in Neon, put the line back with release: true. "
        "If Neon is to delete it with every row on it, put the line back with retire: true. After such an edit run "
        "pulumi up, and only then drop the line"
    )


def renamed_refusal(key: BranchKey, old: Listed, new_key: BranchKey, new: Listed) -> str:
    """Return why `key` can't become `new_key`, with the line that renames the branch; then why it is not deleted."""
    name = new.wanted.name
    rename = "" if name == old.wanted.name else f" and add its new name: {key}: {{…, name: {name}}}"
    return (
        f"{key} is dropped, and {new_key} is new with the same source and settings. {new_key} would be another branch, "
        f"without the rows that were written to {key}. If you want to rename {key}, keep its key{rename}. Otherwise: "
        f"{kept_refusal(key)}"
    )


def destroy_refusal(keys: Collection[BranchKey]) -> str:
    """Return why an environment with such branches is not destroyed, with the edit that keeps their rows first."""
    has = "branch {} has" if len(keys) == 1 else "branches {} have"
    return (
        f"{has.format(', '.join(keys))} {NEITHER}, so this environment is not destroyed. Nothing was deleted. To let a "
        "branch live on in Neon, give its line release: true. To delete it with every row on it, give its line "
        "retire: true. Then run pulumi up, and pulumi destroy after that. A branch that serves production or "
        "development can have neither: delete it in Neon's console, run pulumi refresh, and then pulumi destroy"
    )


def _but_for_the_name(listed: Listed) -> tuple[Source, WantedBranch]:
    return listed.source, replace(listed.wanted, name="")
