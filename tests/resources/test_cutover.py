"""Cutover in process: which edits move the pointer, what a check refuses or tells, and what a refresh finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from environments import log
from environments.clients.comparing import COMPARING
from environments.clients.http import ApiUnreachableError
from environments.clients.vercel import Answer, Deployment
from environments.cutover import pointer as model
from environments.cutover.first_cutover import DomainHolder
from environments.cutover.pointer import CopiedFrom, Lineage, Outputs, Pointer, Service, StagedDeployment, Unfinished
from environments.cutover.served import ServedBranch
from environments.database.lost_rights import Loss
from environments.database.marker import Claim
from environments.database.provenance import EVERY_ROW
from environments.database.rows import RowCount
from environments.database.writers import Writer
from environments.errors import RefusedError
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeploymentId,
    EndpointId,
    Fingerprint,
    Lsn,
    RoleName,
    StackName,
    Transaction,
)
from environments.migrations.restore_point import RestorePoint
from environments.plan.topology import ANY_ROWS, Accepted
from environments.props import UNKNOWN, UNKNOWN_VALUE, is_secret
from environments.resources import cutover
from environments.resources.cutover import Cutover
from environments.resources.typed import State
from environments.review.left_behind import LeftBehindError
from environments.review.model import TableRows
from tests.cutover.pointers import CLAIM, GUARD, ROLES, branch, pointer, served_branch

OLD, NEW = pointer("prod-v1"), pointer("prod-v2")
LOSS = Loss(name="public.orders", schema="public", text="it can't SELECT public.orders", remedy="as ann, run GRANT")
POINT = RestorePoint(BranchId("br-before"), "before-0001", "2030-01-01T00:00:00Z", Lsn("0/5000"), Transaction("800"))


def staged(**changes: Any) -> StagedDeployment:
    assert OLD.deployment
    return replace(OLD.deployment, **changes)


def state(inputs: Pointer, **changes: Any) -> State[Pointer, Outputs]:
    served = model.Served(
        branch=inputs.branch.key,
        id=BranchId(str(inputs.branch.id)),
        deployment=DeploymentId("dpl_prod-v1"),
        since="2025-01-01T00:00:00+00:00",
    )
    service = Service(
        **{name: getattr(served, name) for name in ("branch", "id", "deployment", "since")},
        baseline=Transaction("700"),
        credentials=Fingerprint("f"),
    )
    noted = Outputs(served=served, domain="shop.example", history={served.id: service}, unfinished=None)
    return State("cutover", inputs, replace(noted, **changes))


EVERYTHING = replace(
    NEW,
    branch=branch("dev/dev", claim=CLAIM),
    restore_point=POINT,
    visited={BranchId("br-dev"): served_branch("dev/dev", claim=CLAIM)},
    lineage=model.Lineage(
        source=BranchKey("prod-v1"),
        fork=Transaction("900"),
        lsn=Lsn("0/5000"),
        copy=model.CopiedFrom(source_branch=BranchId("br-1"), seconds=2.5),
    ),
    guard=replace(GUARD, accepted=Accepted(branch="prod-v1", rows=ANY_ROWS)),
)


def test_state_comes_back_from_the_engine_as_it_was_and_the_apps_url_is_its_only_secret() -> None:
    resource = Cutover()
    was = state(EVERYTHING, unfinished=Unfinished(fence={"br-1": served_branch("prod-v1")}, reason="no luck"))
    inputs, outputs = resource.encoded(was.inputs), resource.encoded(was.outputs)
    assert resource.decoded_state("cutover", inputs, outputs) == was
    assert [key for key, value in inputs.items() if is_secret(value)] == ["appUrl"]
    assert outputs["served"].keys() == {"branch", "id", "deployment", "since"}, "as `pulumi stack output served` has it"
    assert outputs["history"]["br-dev/dev"]["deployment"] == "dpl_prod-v1"


def test_what_a_preview_does_not_know_yet_is_unknown_and_moves_the_pointer() -> None:
    resource = Cutover()
    values = resource.encoded(NEW)
    for key in ("id", "endpoint", "fingerprint", "baseline"):
        values["branch"][key] = UNKNOWN_VALUE
    values |= {"restorePoint": UNKNOWN_VALUE, "visited": UNKNOWN_VALUE}
    new = resource.decoded_inputs(values)
    assert (new.branch.id, new.branch.address, new.restore_point, new.visited) == (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
    assert resource.changed(state(OLD), new) == ["branch", "deployment"]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": BranchId("br-2")},
        {"key": BranchKey("main")},
        {"claim": CLAIM},
        {"fingerprint": Fingerprint("another")},
        {"baseline": EVERY_ROW},
    ],
    ids=["branch", "key", "claim", "login", "baseline"],
)
def test_another_branch_key_claim_login_or_baseline_moves_the_pointer(changes: dict[str, Any]) -> None:
    assert Cutover().changed(state(OLD), replace(OLD, branch=replace(OLD.branch, **changes))) == ["branch"]


def test_another_deployment_moves_the_pointer() -> None:
    other = replace(OLD, deployment=staged(id=DeploymentId("dpl_2")))
    assert Cutover().changed(state(OLD), other) == ["deployment"]
    assert Cutover().changed(state(replace(OLD, deployment=None)), OLD) == ["deployment"]


def test_a_claim_that_changed_its_size_moves_the_pointer() -> None:
    larger = pointer(branch("dev/dev", claim=replace(CLAIM, max_cu=8)))
    assert Cutover().changed(state(pointer(branch("dev/dev", claim=CLAIM))), larger) == ["branch"]


def test_nothing_else_moves_it() -> None:
    elsewhere = replace(
        OLD.branch, endpoint=EndpointId("ep-2"), owner=RoleName("other"), database=DatabaseName("other")
    )
    changed = replace(
        EVERYTHING,
        branch=elsewhere,
        deployment=staged(url="other", redeploys=True, health=model.HealthCheck(path="/up", status=204)),
        serve="other",
        app_url="postgresql://other",
        vercel=UNKNOWN,
    )
    assert Cutover().changed(state(OLD), changed) == []


def test_a_move_that_was_not_finished_needs_an_update() -> None:
    assert not Cutover().stale(state(OLD), OLD)
    assert Cutover().stale(state(OLD, unfinished=Unfinished(fence={})), OLD)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[RowCount]:
    """The count that a check gets; a test may put another one."""
    counts = [RowCount(())]
    monkeypatch.setattr(cutover, "rows_of", lambda *_, **__: counts[-1])
    monkeypatch.setattr(cutover, "find_other_writers", lambda _leaving: [])
    monkeypatch.setattr(cutover, "_served_before", lambda _new: False)
    monkeypatch.setattr(cutover, "move_refusal", lambda *_, **__: "")
    monkeypatch.setattr(cutover, "domain_holder", lambda _new: None)
    monkeypatch.setattr(cutover, "previewed_rights", lambda *_: ((), ()))
    return counts


def said(old: Pointer | None, new: Pointer) -> str:
    with log.collected() as lines:
        assert Cutover().check(old, new).refusals == ()
    return "\n".join(lines)


@pytest.mark.usefixtures("counted")
def test_a_login_that_could_write_on_is_refused_until_the_settings_list_it(monkeypatch: pytest.MonkeyPatch) -> None:
    etl = Writer("etl", "a login that may write to public.orders", 'ALTER ROLE "etl" NOLOGIN, or take these rights')
    monkeypatch.setattr(cutover, "find_other_writers", lambda _leaving: [etl])
    with pytest.raises(RefusedError) as refused:
        Cutover().check(OLD, NEW)
    assert str(refused.value) == (
        "after the move etl could still write to prod-v1, where nobody would see it: etl (a login that may write to "
        'public.orders; ALTER ROLE "etl" NOLOGIN, or take these rights). The pointer was not moved. Or list what may '
        "go on writing there: safety: {other_writers: [etl]}"
    )
    listed = replace(NEW, guard=replace(GUARD, other_writers=("etl",)))
    assert "writers   etl may go on writing to prod-v1 (safety.other_writers)" in said(OLD, listed)


@pytest.mark.usefixtures("counted")
def test_a_check_tells_the_review_of_each_kind_of_edit() -> None:
    assert "production will serve prod-v2, for the first time" in said(None, NEW)
    assert "production moves from prod-v1 to prod-v2" in said(OLD, NEW)
    assert "steps     1. The app may write to prod-v2. 2. On prod-v2 the app's login" in said(OLD, NEW)
    again = replace(OLD, deployment=staged(id=UNKNOWN))
    assert "production stays on prod-v1; its app is deployed again" in said(OLD, again)
    renamed = replace(OLD, branch=replace(OLD.branch, key=BranchKey("main")))
    assert "production stays on its branch, called prod-v1 until now and main from here on" in said(OLD, renamed)
    assert said(OLD, replace(OLD, deployment=staged(url="other"))) == ""


@pytest.mark.usefixtures("counted")
def test_a_copy_that_would_pause_writes_for_longer_than_they_may_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("environments.cutover.cut_over.copies_again", lambda *_: True)
    copied = CopiedFrom(source_branch=OLD.branch.made().address.branch, seconds=41.5)
    slow = replace(NEW, lineage=Lineage(source=BranchKey("prod-v1"), fork=None, lsn=None, copy=copied))
    with pytest.raises(RefusedError, match=r"took 42 s the first time.* is 10 s.* safety\.write_pause 83$"):
        Cutover().check(OLD, slow)
    assert "writes pause while the rows are carried over" in said(
        OLD, replace(slow, guard=replace(GUARD, write_pause=60))
    )


@pytest.mark.usefixtures("counted")
def test_a_login_that_could_do_less_is_refused_in_the_preview_and_what_is_worth_knowing_is_a_line_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str | None] = []

    def found(before: ServedBranch | None, _new: Pointer) -> tuple[tuple[Loss, ...], tuple[str, ...]]:
        asked.append(before.role if before else None)
        return (LOSS,) if len(asked) > 3 else (), ("a note",)

    monkeypatch.setattr(cutover, "previewed_rights", found)
    rotated = replace(NEW, branch=replace(NEW.branch, role=ROLES[1]), deployment=staged(id=UNKNOWN))
    for old, new in ((None, NEW), (OLD, NEW), (NEW, rotated)):
        assert "rights    1. a note" in said(old, new)
    assert "rights" not in said(NEW, replace(NEW, deployment=staged(id=UNKNOWN)))
    assert asked == [None, ROLES[0], ROLES[0]]
    for old, new in ((None, NEW), (OLD, NEW), (NEW, rotated)):
        with pytest.raises(
            RefusedError, match=r"less on prod-v2 than before\. it can't SELECT.*The pointer was not moved$"
        ):
            Cutover().check(old, new)


@pytest.mark.usefixtures("counted")
def test_a_health_check_that_asks_no_database_is_told_to_prove_nothing() -> None:
    health = model.HealthCheck(path="/health", status=200, database=False)
    unproven = replace(NEW, deployment=staged(id=UNKNOWN, health=health))
    for old in (None, OLD, NEW):
        told = " ".join(said(old, unproven).split())
        assert "unproven nothing proves that the app uses prod-v2: app.health.database is false" in told
    assert "unproven" not in said(OLD, NEW)


@pytest.mark.usefixtures("counted")
def test_no_review_where_nothing_is_guarded_or_existing_projects_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(None, replace(NEW, guard=None, deployment=None)) == ""
    monkeypatch.setenv(COMPARING, "1")
    assert said(None, NEW) == ""


def test_rows_that_would_be_left_are_refused_as_words_and_as_data(counted: list[RowCount]) -> None:
    counted.append(RowCount((TableRows(table="orders", rows=2),)))
    with pytest.raises(LeftBehindError) as refused:
        Cutover().check(OLD, NEW)
    assert str(refused.value).startswith("2 rows (orders 2) were written to prod-v1 since it began")
    assert (refused.value.behind.branch, refused.value.behind.total) == ("prod-v1", 2)
    assert refused.value.behind.tables[0].table == "orders"
    enough = replace(NEW, guard=replace(GUARD, accepted=Accepted(branch="prod-v1", rows=2)))
    assert "stay behind on prod-v1 (accepted in the stack file)" in said(OLD, enough)


def test_a_domain_that_another_deployment_has_is_taken_only_if_that_is_accepted(
    counted: list[RowCount], monkeypatch: pytest.MonkeyPatch
) -> None:
    del counted
    holder = DomainHolder(DeploymentId("dpl_9"), "shop.example", BranchId("br-9"), ours=True)
    monkeypatch.setattr(cutover, "domain_holder", lambda _new: holder)
    with pytest.raises(RefusedError, match=r"dpl_9, which serves shop\.example now, uses branch br-9"):
        Cutover().check(None, NEW)
    answered = replace(holder, ours=False)
    monkeypatch.setattr(cutover, "domain_holder", lambda _new: answered)
    with pytest.raises(RefusedError, match=r"uses another branch than prod-v2, by its health check") as refused:
        Cutover().check(None, NEW)
    assert "br-9" not in str(refused.value), "an answer is never repeated"
    accepted = replace(NEW, guard=replace(GUARD, accepted=Accepted(branch="dpl_9", rows=ANY_ROWS)))
    assert "promote dpl_9 in Vercel" in said(None, accepted)


class Vercel:
    """Vercel as a refresh finds it."""

    serves: DeploymentId | None = DeploymentId("dpl_prod-v1")
    meta: dict[str, str] = {}  # noqa: RUF012 - each test has its own class

    def __enter__(self) -> Vercel:  # noqa: PYI034 - a stand-in
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def domain(self, _project: str) -> str:
        return "shop.example"

    def serving(self, _domain: str) -> DeploymentId | None:
        return self.serves

    def deployment(self, deployment: DeploymentId) -> Deployment:
        return Deployment(deployment, "host", "READY", self.meta)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> type[Vercel]:
    """A refresh that finds all as it was noted; a test changes what is found."""
    found = type("Found", (Vercel,), {})

    @contextmanager
    def owner_of(to: ServedBranch) -> Iterator[ServedBranch]:
        yield to

    monkeypatch.setattr(cutover, "Vercel", found)
    monkeypatch.setattr(cutover, "owner_of", owner_of)
    monkeypatch.setattr(cutover, "is_fenced", lambda *_: False)
    monkeypatch.setattr(cutover, "broken", lambda *_: "")
    monkeypatch.setattr(cutover, "read_claims", lambda *_: {})
    return found


def test_a_refresh_keeps_what_is_as_it_was_noted(found: type[Vercel]) -> None:
    found.serves = DeploymentId("dpl_prod-v2")
    assert Cutover().read(state(EVERYTHING)) == state(EVERYTHING)
    dev = state(replace(OLD, deployment=None, guard=None))
    assert Cutover().read(dev) == dev


@pytest.mark.usefixtures("found")
def test_a_refresh_notices_a_fence_and_a_baseline_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutover, "is_fenced", lambda *_: True)
    monkeypatch.setattr(cutover, "broken", lambda *_: "restored in place")
    read = Cutover().read(state(OLD))
    assert read == state(replace(OLD, branch=replace(OLD.branch, fingerprint=Fingerprint(""), baseline=EVERY_ROW)))
    assert Cutover().changed(read, OLD) == ["branch"], "the next update opens it again"


def test_a_promotion_by_hand_is_noticed_and_a_push_is_not_where_pushes_deploy(
    found: type[Vercel], monkeypatch: pytest.MonkeyPatch
) -> None:
    found.serves = DeploymentId("dpl_other")
    assert Cutover().read(state(OLD)) == state(replace(OLD, deployment=staged(id=DeploymentId("dpl_other"))))
    monkeypatch.setattr(cutover, "visit", lambda *_: Answer(200, branch=BranchId("br-prod-v1")))
    pushes = state(replace(OLD, deployment=staged(redeploys=True)))
    assert Cutover().read(pushes) == pushes


def test_a_branch_that_has_the_domain_without_the_state_knowing_is_what_serves_and_the_one_before_is_owed_a_fence(
    found: type[Vercel], monkeypatch: pytest.MonkeyPatch
) -> None:
    found.serves = DeploymentId("dpl_prod-v2")
    found.meta = {"neonBranch": "br-prod-v2", "neonProject": "frost", "credentials": "login of prod-v2"}
    monkeypatch.setattr(cutover, "_found", lambda *_: NEW.branch)
    read = Cutover().read(state(OLD))
    assert read.inputs.branch == NEW.branch
    assert read.inputs.deployment == staged(id=DeploymentId("dpl_prod-v2"))
    assert (read.outputs.served.branch, read.outputs.served.deployment) == ("prod-v2", "dpl_prod-v2")
    assert read.outputs.unfinished == Unfinished(fence={"br-prod-v1": OLD.branch.made()})
    assert Cutover().stale(read, NEW)


def test_a_branch_that_can_not_be_asked_leaves_the_rest_of_what_was_found(
    found: type[Vercel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any) -> Any:
        raise ApiUnreachableError("no answer")

    found.serves = DeploymentId("dpl_prod-v2")
    found.meta = {"neonBranch": "br-prod-v2"}
    monkeypatch.setattr(cutover, "_found", unreachable)
    monkeypatch.setattr(cutover, "owner_of", unreachable)
    with log.collected() as lines:
        read = Cutover().read(state(OLD))
    assert read == state(replace(OLD, deployment=staged(id=DeploymentId("dpl_prod-v2"))))
    assert lines == [
        "warning: shop.example leads to dpl_prod-v2, whose database can't be reached: no answer",
        "warning: prod-v1 could not be asked whether it takes writes: no answer",
    ]


@pytest.mark.usefixtures("found")
def test_a_branch_that_is_still_claimed_and_does_not_serve_is_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = served_branch("dev/dev", claim=CLAIM)
    claim = Claim(StackName("prod"), 1, 4, -1, protected=False)
    monkeypatch.setattr(cutover, "read_claims", lambda *_: {"app_prod_1": claim})
    left = replace(OLD, visited={BranchId("br-dev/dev"): theirs})
    assert Cutover().read(state(left)).outputs.unfinished == Unfinished(fence={"br-dev/dev": theirs})
    serving = replace(pointer(branch("dev/dev", claim=CLAIM), deployment=OLD.deployment), visited=left.visited)
    assert Cutover().read(state(serving)).outputs.unfinished is None
    monkeypatch.setattr(cutover, "read_claims", lambda *_: {"app_other_1": claim})
    assert Cutover().read(state(left)).outputs.unfinished is None
