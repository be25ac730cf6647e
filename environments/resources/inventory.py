"""Inventory: what an environment knew of itself at its last update.

A program can't read its own stack's outputs: the engine writes them while the program runs. Its own resources' state is
given to it by the engine, and this resource is where the program leaves what only the next update needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from environments import log
from environments.branches.deleted import still_there
from environments.branches.dropped import (
    KeptError,
    Listed,
    destroy_refusal,
    dropped,
    dropped_but_kept,
    kept_refusal,
    renamed_key,
    renamed_refusal,
)
from environments.ids import BranchKey, DeletionPolicy
from environments.props import Unwatched, known
from environments.resources.typed import Checked, State, Typed


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The branches that the environment owns, with what becomes of each when its line is dropped.

    `listed` is what finds them in Neon. The state of an earlier version has nothing in it.
    """

    branches: Mapping[BranchKey, DeletionPolicy]
    listed: Unwatched[Mapping[BranchKey, Listed]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Nothing: all that it knows are its inputs."""


class Inventory(Typed[Inputs, Outputs]):
    """Makes nothing in the clouds. It keeps the environment from deleting what nobody let go of.

    The engine deletes it before anything else of the environment, since it depends on every branch and on the pointer.
    """

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Refuse to drop a branch that is neither retired nor released, and warn of each other one that is dropped.

        The line of a branch that somebody deleted in Neon may go.
        """
        if old is None:
            return Checked(new)
        for sentence in dropped(new.branches, old.branches):
            log.warn(sentence)
        kept = dropped_but_kept(new.branches, old.branches)
        return Checked(new, tuple(_refusal(key, old, new) for key in kept if _still_there(key, old)))

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Note it for the first time."""
        return "inventory", Outputs()

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Note it."""
        return Outputs()

    def delete(self, old: State[Inputs, Outputs]) -> None:
        """Refuse to destroy an environment with a branch that is neither retired nor released."""
        branches = old.inputs.branches
        kept = [key for key, policy in branches.items() if policy == "retain" and _still_there(key, old.inputs)]
        if kept:
            raise KeptError(destroy_refusal(kept))


def _still_there(key: BranchKey, inputs: Inputs) -> bool:
    """Tell whether Neon has the branch; not if the inventory can't find it, since its login refuses then."""
    listed = inputs.listed.get(key)
    return listed is not None and still_there(known(listed.project), known(listed.id)) is not None


def _refusal(key: BranchKey, old: Inputs, new: Inputs) -> str:
    other = renamed_key(key, old.listed, new.listed)
    return renamed_refusal(key, old.listed[key], other, new.listed[other]) if other else kept_refusal(key)
