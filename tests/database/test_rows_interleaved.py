"""The count of rows left behind, over random histories: it may be too high, it is never too low."""

from collections.abc import Iterator
from time import monotonic

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from environments.database.provenance import baseline
from environments.database.rows import count_rows
from tests.localcloud.neon.hosting import Host, Project
from tests.resources.computes import Database, make_database, run
from tests.resources.interleaving import ACTIONS, SESSIONS, History, Step
from tests.resources.turns import TURNS, TurningHistory

pytestmark = pytest.mark.slow

FREQUENT = ["begin", "begin", "insert", "insert", "insert", "update", "update", "savepoint", "commit"]
STEP = st.tuples(
    st.sampled_from(FREQUENT + ACTIONS), st.integers(0, SESSIONS - 1), st.integers(0, 7), st.integers(0, 9)
)
HISTORY = st.tuples(st.lists(STEP, max_size=12), st.lists(STEP, min_size=4, max_size=24))
TURN = st.tuples(st.sampled_from(TURNS), st.integers(0, 7), st.integers(0, 3))
AFTER_TURN = st.tuples(TURN, st.lists(STEP, min_size=2, max_size=10))
TURNING = st.tuples(*3 * [st.lists(STEP, max_size=10)], st.lists(AFTER_TURN, min_size=1, max_size=2))
BUDGET_SECONDS, OF_IT_FOR_TURNS = 40, 15


@pytest.fixture(scope="module")
def project(host: Host) -> Iterator[Project]:
    """One of this module's own: its branches are set back in time, and go with it."""
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "histories"}}, status=201))
    yield made
    host.call("DELETE", made.path)


@pytest.fixture(scope="module")
def shared(project: Project) -> Iterator[Database]:
    """One database for all histories, emptied before each."""
    made = make_database(project, "histories")
    yield made
    made.drop()


class Stopwatch:
    """The time that all examples together have."""

    def __init__(self, seconds: float) -> None:
        self.ends = monotonic() + seconds
        self.played = 0


@pytest.fixture(scope="module")
def stopwatch() -> Stopwatch:
    return Stopwatch(BUDGET_SECONDS - OF_IT_FOR_TURNS)


@pytest.fixture(scope="module")
def turns_stopwatch() -> Stopwatch:
    return Stopwatch(OF_IT_FOR_TURNS)


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
        history.check_adopted()
        event("equality is due" if history.exact and not history.rewritten else "a lower bound is due")
    finally:
        history.close()
    stopwatch.played += 1


ONE_OF_EACH = [((name, 0, 1), [("insert", 0, 0, 2), ("update", 0, 0, 1)]) for name in TURNS[1:]]


@given(played=TURNING)
@example(played=([("insert", 0, 0, 2)], [("insert", 0, 1, 2)], [("insert", 0, 0, 2)], ONE_OF_EACH[::2]))
@example(played=([("insert", 1, 0, 2)], [("insert", 1, 1, 2)], [("insert", 1, 2, 2)], ONE_OF_EACH[1:2]))
@example(played=([("insert", 2, 0, 2)], [("insert", 2, 1, 2)], [("begin", 2, 2, 2)], ONE_OF_EACH[3:]))
@settings(
    max_examples=15,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_row_escapes_the_count_of_a_branch_that_serves_again_is_set_back_or_is_a_clone(
    shared: Database,
    turns_stopwatch: Stopwatch,
    played: tuple[list[Step], list[Step], list[Step], list[tuple[tuple[str, int, int], list[Step]]]],
) -> None:
    if monotonic() > turns_stopwatch.ends:
        return
    before, early, late, turns = played
    history = TurningHistory(shared)
    try:
        for step in before:
            history.do(*step)
        history.note_moment()
        history.take_baseline()
        for step in early:
            history.do(*step)
        history.note_moment()
        for step in late:
            history.do(*step)
        for turn, steps in turns:
            history.turn(*turn)
            history.verify()
            for step in steps:
                history.do(*step)
            history.verify()
            event(turn[0])
        history.settle()
        history.verify()
    finally:
        history.close()
    turns_stopwatch.played += 1


def test_most_histories_were_played_within_the_time(stopwatch: Stopwatch, turns_stopwatch: Stopwatch) -> None:
    assert stopwatch.played >= 25
    assert turns_stopwatch.played >= 4


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
