"""The evaluator of a move's steps: their order, what is undone when one fails, and what a failure afterwards leaves."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from environments import log
from environments.cutover.pointer import Unfinished
from environments.cutover.served import ServedBranch
from environments.cutover.steps import Step, UndoneError, explain, run_steps
from environments.ids import BranchKey
from tests.cutover.pointers import served_branch

NOW = BranchKey("prod-v2")
NAMES = ("open", "fence", "promote", "verify")


class Recording(Step):
    """Writes down what is done with it; `fails` when run, `stuck` when undone, `stays` is what its undo finds."""

    def __init__(
        self,
        name: str,
        done: list[str],
        *,
        fails: BaseException | None = None,
        stuck: str = "",
        stays: str = "",
        account: str = "",
    ) -> None:
        self._name, self._done, self._fails = name, done, fails
        self._stuck, self._stays, self._account = stuck, stays, account

    def explain(self) -> str:
        return f"It does {self._name}."

    def run(self) -> None:
        self._done.append(self._name)
        if self._fails:
            raise self._fails

    def undo(self) -> str:
        self._done.append(f"undo {self._name}")
        if self._stuck:
            raise RuntimeError(self._stuck)
        return self._stays

    def account(self, error: Exception) -> str:
        return f"\n    {self._account} ({type(error).__name__})" if self._account else ""


class Afterwards(Recording):
    """Comes after the move, and owes a branch."""

    after_move = True

    def __init__(self, name: str, done: list[str], *, fails: BaseException | None = None, owes: str = "") -> None:
        super().__init__(name, done, fails=fails)
        self._owes = owes

    @property
    def owed(self) -> Mapping[str, ServedBranch]:
        return {f"br-{self._owes}": served_branch(self._owes)} if self._owes else {}


def test_the_steps_run_in_their_order_and_those_after_the_move_come_last() -> None:
    done: list[str] = []
    steps: list[Step] = [Afterwards("drain", done), *(Recording(name, done) for name in NAMES)]
    assert run_steps(steps, NOW) is None
    assert done == [*NAMES, "drain"]
    assert explain(steps) == ("It does drain.", *(f"It does {name}." for name in NAMES))


@pytest.mark.parametrize("failing", NAMES)
def test_the_step_that_fails_and_all_before_it_are_undone_in_reverse_and_nothing_comes_after(failing: str) -> None:
    done: list[str] = []
    steps: list[Step] = [
        Recording(name, done, fails=RuntimeError("no luck") if name == failing else None) for name in NAMES
    ]
    with pytest.raises(UndoneError) as undone:
        run_steps([*steps, Afterwards("drain", done)], NOW)
    begun = NAMES[: NAMES.index(failing) + 1]
    assert done == [*begun, *(f"undo {name}" for name in reversed(begun))]
    assert str(undone.value) == "no luck. Production is as it was."


def test_the_text_of_a_failure_ends_with_what_stays_all_the_same_and_with_the_failed_steps_account() -> None:
    steps = [
        Recording("open", [], stays="Visitors wrote 2 rows", account="of another step"),
        Recording("promote", []),
        Recording("verify", [], fails=RuntimeError("no luck"), account="Its log:"),
    ]
    with pytest.raises(UndoneError) as undone:
        run_steps(steps, NOW)
    assert str(undone.value) == (
        "no luck. Production is as it was. Visitors wrote 2 rows.\n    Its log: (RuntimeError)"
    )


@pytest.mark.parametrize("stuck", NAMES)
def test_an_undo_that_fails_is_told_and_the_steps_before_it_are_undone_all_the_same(stuck: str) -> None:
    done: list[str] = []
    steps = [Recording(name, done, stuck="stuck" if name == stuck else "") for name in NAMES]
    with pytest.raises(UndoneError) as undone:
        run_steps([*steps, Recording("last", done, fails=RuntimeError("no luck"))], NOW)
    assert done[-5:] == ["undo last", *(f"undo {name}" for name in reversed(NAMES))]
    assert str(undone.value) == (
        "no luck. Undoing what was done failed as well (stuck): run environments recover for this stack, "
        "then pulumi up."
    )


def test_every_undo_that_fails_is_told() -> None:
    steps = [Recording("open", [], stuck="one"), Recording("fence", [], stuck="two", fails=RuntimeError("no luck"))]
    with pytest.raises(UndoneError, match=r"failed as well \(two; one\)"):
        run_steps(steps, NOW)


def test_an_interruption_is_undone_and_goes_on_as_an_interruption() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_steps([Recording("open", done), Recording("fence", done, fails=KeyboardInterrupt())], NOW)
    assert done == ["open", "fence", "undo fence", "undo open"]


@pytest.mark.parametrize(
    ("failing", "owed"), [("drain", {"br-a", "br-b"}), ("fence a", {"br-a", "br-b"}), ("fence b", {"br-b"})]
)
def test_a_failure_after_the_move_is_a_warning_undoes_nothing_and_owes_what_is_left(
    failing: str, owed: set[str]
) -> None:
    done: list[str] = []
    after = {"drain": "", "fence a": "a", "fence b": "b"}
    steps: list[Step] = [Recording("promote", done)]
    steps += [
        Afterwards(name, done, owes=owes, fails=RuntimeError("no luck") if name == failing else None)
        for name, owes in after.items()
    ]
    with log.collected() as said:
        unfinished = run_steps(steps, NOW)
    assert isinstance(unfinished, Unfinished)
    assert set(unfinished.fence) == owed
    assert unfinished.reason == "no luck"
    assert done == ["promote", *list(after)[: list(after).index(failing) + 1]]
    assert said == ["warning: prod-v2 serves, but the move is not finished: no luck. Run pulumi up again."]


def test_a_branch_that_two_steps_owe_is_owed_until_both_are_done() -> None:
    done: list[str] = []
    steps = [Afterwards("claim", done, owes="a"), Afterwards("fence", done, owes="a", fails=RuntimeError("no luck"))]
    unfinished = run_steps(steps, NOW)
    assert unfinished
    assert set(unfinished.fence) == {"br-a"}
