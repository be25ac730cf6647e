"""Inventory: what an environment knew of itself at its last update.

A program can't read its own stack's outputs: the engine writes them while the program runs. Its own resources' state is
given to it by the engine, and this resource is where the program leaves what only the next update needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from environments import log
from environments.branches.dropped import dropped
from environments.ids import BranchKey, DeletionPolicy
from environments.resources.typed import Checked, State, Typed


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The branches that the environment owns, with what becomes of each when its line is dropped."""

    branches: Mapping[BranchKey, DeletionPolicy]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Nothing: all that it knows are its inputs."""


class Inventory(Typed[Inputs, Outputs]):
    """Makes nothing in the clouds, and deletes nothing."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Warn of each branch whose line was dropped since the last update."""
        for sentence in dropped(new.branches, old.branches if old else {}):
            log.warn(sentence)
        return Checked(new)

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Note it for the first time."""
        return "inventory", Outputs()

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Note it."""
        return Outputs()
