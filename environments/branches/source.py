"""Where a branch comes from and what it is to be, as the rules for branches take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from environments.ids import BranchKey, DeletionPolicy, StackName
from environments.props import Unwatched

Kind = Literal["clone", "dump", "temporary", "schema-only", "adopted"]
"""How a branch comes to its rows.

clone         cloned within its source's Neon project
dump          filled from another Neon project by dump and restore
temporary     a clone that expires
schema-only   a temporary branch with its source's tables and without their rows
adopted       it was there before the environment
"""

TEMPORARY: Final[tuple[Kind, ...]] = ("temporary", "schema-only")
"""The kinds that Neon deletes by itself."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The branch that a branch is made from, by its stack and its key there, and as of when; it is settled for life.

    `at` is in Unix seconds or an LSN, empty for "as it is". An adopted branch has an empty `branch`.
    """

    stack: StackName
    branch: BranchKey
    at: str
    kind: Kind

    def __str__(self) -> str:
        """Name it in a sentence."""
        at = f" as of {self.at}" if self.at else ""
        return f"{self.branch} of stack {self.stack}{at}"


@dataclass(frozen=True, kw_only=True)
class WantedBranch:
    """What a branch is to be: its name in Neon, its compute's size in CU and idle seconds (-1: never), its protection.

    `deletion` is what becomes of it when its line is dropped from the stack file.
    """

    name: str
    min_cu: Unwatched[float]
    max_cu: Unwatched[float]
    suspend_seconds: Unwatched[int]
    protected: Unwatched[bool]
    deletion: DeletionPolicy
