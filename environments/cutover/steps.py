"""A move of the pointer as a list of steps: each explains itself, runs, and is undone.

The preview, the documentation and the run come from one and the same list. A step up to the move that fails is undone
along with those before it, in reverse: production never leads to what didn't answer. The pointer has moved when the
steps after the move come, so that a failure there is a warning, and the next update does what is left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

from environments import log
from environments.cutover.pointer import Unfinished
from environments.cutover.served import ServedBranch
from environments.errors import FailedError
from environments.ids import BranchKey


class UndoneError(FailedError):
    """A move failed and was undone; production is as it was."""


class Step(ABC):
    """One step of a move."""

    after_move: ClassVar[bool] = False
    """Whether it comes once the pointer has moved."""

    @abstractmethod
    def explain(self) -> str:
        """Say in one sentence what it does."""

    @abstractmethod
    def run(self) -> None:
        """Do it."""

    @property
    def limit(self) -> AbstractContextManager[object]:
        """The time limit that `run` is held to; `undo` never is."""
        return nullcontext()

    def undo(self) -> str:
        """Take back what `run` did, as far as that came; return a sentence on what stays all the same, or nothing."""
        return ""

    def account(self, error: Exception) -> str:  # noqa: ARG002
        """Return what else tells why it failed, asked for once everything is undone."""
        return ""

    @property
    def owed(self) -> Mapping[str, ServedBranch]:
        """The branches, by their ids, to which the app may still write if this step isn't done."""
        return {}


def explain(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return what each step does, in one sentence each, in their order."""
    return tuple(step.explain() for step in steps)


def run_steps(steps: Sequence[Step], serves: BranchKey) -> Unfinished | None:
    """Run `steps`, after which the branch `serves`; return what is left for the next update, None if nothing is.

    Raises UndoneError for a step up to the move that failed.
    """
    _run_up_to_the_move([step for step in steps if not step.after_move])
    after = [step for step in steps if step.after_move]
    for place, step in enumerate(after):
        try:
            step.run()
        except Exception as error:  # noqa: BLE001 - whatever it was, the pointer has moved
            log.warn(f"{serves} serves, but the move is not finished: {error}. Run pulumi up again.")
            owed = {branch: found for left in after[place:] for branch, found in left.owed.items()}
            return Unfinished(fence=owed, reason=str(error))
    return None


def _run_up_to_the_move(steps: Sequence[Step]) -> None:
    begun: list[Step] = []
    for step in steps:
        begun.append(step)
        try:
            with step.limit:
                step.run()
        except BaseException as error:
            stays, failures = _undo(begun)
            if not isinstance(error, Exception):
                raise
            more = "".join(f" {sentence}." for sentence in stays)
            if failures:
                raise UndoneError(
                    f"{error}. Undoing what was done failed as well ({'; '.join(failures)}): run environments recover "
                    f"for this stack, then pulumi up.{more}"
                ) from None
            raise UndoneError(f"{error}. Production is as it was.{more}{step.account(error)}") from None


def _undo(begun: Sequence[Step]) -> tuple[list[str], list[str]]:
    """Undo every step, the last one first; return what stays all the same, and what could not be undone."""
    stays, failures = [], []
    for step in reversed(begun):
        try:
            if sentence := step.undo():
                stays.append(sentence)
        except Exception as failure:  # noqa: BLE001 - the steps before it are undone all the same
            failures.append(str(failure))
    return stays, failures
