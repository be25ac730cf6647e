"""The count of rows left behind, over random histories: it may be too high, it is never too low."""

from collections.abc import Iterator
from time import monotonic

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from resources.app_role import baseline
from resources.rows import count_rows
from tests.localcloud.neon.hosting import Project
from tests.resources.computes import Database, make_database, run
from tests.resources.interleaving import ACTIONS, SESSIONS, History, Step

pytestmark = pytest.mark.slow

FREQUENT = ["begin", "begin", "insert", "insert", "insert", "update", "update", "savepoint", "commit"]
STEP = st.tuples(
    st.sampled_from(FREQUENT + ACTIONS), st.integers(0, SESSIONS - 1), st.integers(0, 7), st.integers(0, 9)
)
HISTORY = st.tuples(st.lists(STEP, max_size=12), st.lists(STEP, min_size=4, max_size=24))
BUDGET_SECONDS = 40


@pytest.fixture(scope="module")
def shared(project: Project) -> Iterator[Database]:
    """One database for all histories, emptied before each."""
    made = make_database(project, "histories")
    yield made
    made.drop()


class Stopwatch:
    """The time that all examples together have."""

    def __init__(self) -> None:
        self.ends = monotonic() + BUDGET_SECONDS
        self.played = 0


@pytest.fixture(scope="module")
def stopwatch() -> Stopwatch:
    return Stopwatch()


@given(played=HISTORY)
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_row_that_was_written_after_the_baseline_escapes_the_count(
    shared: Database, stopwatch: Stopwatch, played: tuple[list[Step], list[Step]]
) -> None:
    if monotonic() > stopwatch.ends:
        return
    before, after = played
    history = History(shared)
    try:
        for step in before:
            history.do(*step)
        history.take_baseline()
        for step in after:
            history.do(*step)
        history.check(count_rows(history.admin, history.baseline, 20))
        history.settle()
        history.check(count_rows(history.admin, history.baseline, 20))
        event("equality is due" if history.exact and not history.rewritten else "a lower bound is due")
    finally:
        history.close()
    stopwatch.played += 1


def test_most_histories_were_played_within_the_time(stopwatch: Stopwatch) -> None:
    assert stopwatch.played >= 25


def test_a_clone_counts_from_its_own_baseline_and_not_what_its_source_had_under_way(
    project: Project, shared: Database
) -> None:
    history = History(shared)
    for step in [("insert", 0, 0, 3), ("begin", 1, 0, 0), ("insert", 1, 0, 4), ("savepoint", 1, 0, 0)]:
        history.do(*step)
    history.do("insert", 1, 2, 5)
    made = project.branch("clone")["branch"]["id"]
    with shared.owner(made) as clone:
        began = int(baseline(clone))
        assert count_rows(clone, began, 20).total == 0
        run(clone, "INSERT INTO plain SELECT generate_series(-7, -1), 0, 0")
        with clone.transaction():
            run(clone, "INSERT INTO child SELECT -99, 0, 0")
            with clone.transaction():
                run(clone, "UPDATE child SET v = 1 WHERE id = -99")
        assert {each.table: each.rows for each in count_rows(clone, began, 20).tables} == {"plain": 7, "child": 1}
    second = project.branch("clone of the clone", parent=made)["branch"]["id"]
    with shared.owner(second) as clone:
        assert count_rows(clone, began, 20).total == 8
        own = int(baseline(clone))
        assert own > began
        assert count_rows(clone, own, 20).total == 0
    history.close()
    for branch in (second, made):
        project.host.call("DELETE", f"{project.path}/branches/{branch}")
