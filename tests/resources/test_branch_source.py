"""BranchSource as the engine asks for it: a source is settled once, and what a refresh saw decides what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from environments import log
from environments.branches.deleted import Seen
from environments.branches.source import Kind, Source, WantedBranch
from environments.ids import BranchId, BranchKey, DatabaseName, DeletionPolicy, NeonProject, RoleName, StackName
from environments.plugin.registry import resource_of
from environments.props import UNKNOWN, Unknown
from environments.resources.branch_source import BranchSource, Inputs, Outputs, StillThereError
from environments.resources.typed import Checked, State
from tests.branches.conftest import neon
from tests.branches.stand_in import StandIn, made

__all__ = ["neon"]

RESOURCE = BranchSource()
PROJECT, PARENT = NeonProject("p"), BranchId("br-1")
SETTLED = Outputs(fork=None, operation="op-1", adopted=None)


def source(branch: str = "dev", kind: Kind = "clone", at: str = "") -> Source:
    return Source(stack=StackName("dev"), branch=BranchKey(branch), at=at, kind=kind)


def wanted(name: str = "prod-v2", deletion: DeletionPolicy = "retain", min_cu: float = 1) -> WantedBranch:
    return WantedBranch(name=name, min_cu=min_cu, max_cu=4, suspend_seconds=300, protected=False, deletion=deletion)


def inputs(
    made_from: Source | None = None,
    parent: BranchId | Unknown | None = PARENT,
    project: NeonProject | Unknown = PROJECT,
    **changes: Any,
) -> Inputs:
    given = Inputs(
        name=BranchKey("prod-v2"),
        project=project,
        source=made_from or source(),
        parent=parent,
        own=False,
        wanted=wanted(),
        shareable=False,
        serves=True,
        database=DatabaseName("neondb"),
        owner=RoleName("neondb_owner"),
    )
    return replace(given, **changes)


def state(given: Inputs, outputs: Outputs = SETTLED) -> State[Inputs, Outputs]:
    return State("prod-v2", given, outputs)


def refusal(checked: Checked[Inputs]) -> str:
    (only,) = checked.refusals
    return only


@pytest.fixture(autouse=True)
def there(neon: StandIn) -> None:
    neon.branches = {"br-1": {"name": "dev"}, "br-2": {"name": "prod-v2", "parent_id": "br-1"}}
    neon.operations = [made("op-1", "br-1")]


def test_a_branch_needs_its_source_until_it_is_made() -> None:
    assert not RESOURCE.check(None, inputs()).refusals
    assert not RESOURCE.check(None, inputs(parent=UNKNOWN)).refusals, "this very update makes it"
    said = refusal(RESOURCE.check(None, inputs(parent=None)))
    assert "is to be a copy of dev in stack dev, which exports no such branch: run pulumi up -s dev first" in said


def test_a_source_that_is_gone_does_not_matter_to_a_branch_that_exists() -> None:
    old = inputs(seen=Seen(id=BranchId("br-2")))
    checked = RESOURCE.check(old, inputs(parent=None, wanted=wanted(min_cu=2), shareable=True))
    assert not checked.refusals
    assert checked.inputs.parent == PARENT, "what was settled stays"
    assert checked.inputs.seen == old.seen
    assert (checked.inputs.wanted.min_cu, checked.inputs.shareable) == (2, True)


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        (source("main"), "a copy of dev of stack dev and can't become one of main of stack dev: add a new branch"),
        (source(at="1700000000"), "and can't become one of dev of stack dev as of 1700000000"),
        (source(kind="temporary"), "dev of stack dev that stays and can't become one of dev of stack dev that expires"),
        (source(kind="schema-only"), "can't become one of dev of stack dev that expires and holds no rows"),
    ],
)
def test_an_edited_source_is_refused_for_a_branch_that_exists(neon: StandIn, edited: Source, words: str) -> None:
    assert words in refusal(RESOURCE.check(inputs(), inputs(edited)))
    del neon.branches["br-2"]
    checked = RESOURCE.check(inputs(), inputs(edited))
    assert not checked.refusals, "it could not be made, so that another source is taken"
    assert checked.inputs.source == edited


def test_a_branch_is_not_moved_to_another_project() -> None:
    said = refusal(RESOURCE.check(inputs(), inputs(project=NeonProject("q"))))
    assert "lies in Neon project p and can't be moved to q" in said
    assert not RESOURCE.check(inputs(), inputs(project=UNKNOWN)).refusals


def test_a_branch_is_adopted_if_the_project_has_one_of_its_name(neon: StandIn) -> None:
    adopted = inputs(source("", "adopted"), parent=None)
    assert not RESOURCE.check(None, adopted).refusals
    neon.branches["br-2"]["expires_at"] = "2026-02-01T00:00:00Z"
    _, outputs = RESOURCE.create(adopted)
    assert outputs == Outputs(fork=None, operation="op-1", adopted=BranchId("br-2"))
    assert neon.changes == [("PATCH /projects/p/branches/br-2", {"branch": {"expires_at": None}})], "it lives on"
    for missing in (inputs(source("", "adopted"), parent=None, project=UNKNOWN), replace(adopted, wanted=wanted("x"))):
        assert "is to be adopted, and the project has none called" in refusal(RESOURCE.check(None, missing))


def test_what_a_refresh_saw_decides_whether_the_next_check_refuses(neon: StandIn) -> None:
    seen = RESOURCE.read(state(inputs()))
    assert seen.inputs.seen == Seen(id=BranchId("br-2"))
    del neon.branches["br-2"]
    gone = RESOURCE.read(seen)
    assert gone.inputs.seen == Seen(id=BranchId("br-2"), gone=True)
    assert "branch prod-v2 is no longer in Neon" in refusal(RESOURCE.check(gone.inputs, inputs()))
    temporary = replace(gone.inputs, source=source(kind="temporary"))
    assert not RESOURCE.check(temporary, inputs(source(kind="temporary"))).refusals, "its time was over"


def test_an_adopted_branch_is_known_by_its_id_before_any_refresh(neon: StandIn) -> None:
    outputs = replace(SETTLED, adopted=BranchId("br-2"))
    neon.branches = {"br-1": {"name": "dev"}}
    adopted = inputs(source("", "adopted"), parent=None)
    assert RESOURCE.read(state(adopted, outputs)).inputs.seen == Seen(id=BranchId("br-2"), gone=True)


def test_only_a_source_a_name_and_a_policy_need_an_update() -> None:
    old = state(inputs())
    quiet = inputs(wanted=wanted(min_cu=2), shareable=True, serves=False, parent=None, seen=Seen(gone=True))
    assert RESOURCE.changed(old, quiet) == []
    assert RESOURCE.changed(old, inputs(source("main"))) == ["source"]
    assert RESOURCE.changed(old, inputs(wanted=wanted(deletion="delete"))) == ["wanted"]
    assert RESOURCE.changed(old, inputs(wanted=wanted("renamed"))) == ["wanted"]
    assert RESOURCE.update(old, inputs(wanted=wanted(deletion="delete"))) == SETTLED


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("delete", "prod-v2 is retired: nothing is deleted yet. Dropping its line then deletes it, with every row"),
        ("orphan", "prod-v2 is released: nothing happens to it. When its line is dropped, it stays in Neon"),
        ("retain", ""),
    ],
)
def test_another_policy_is_explained(policy: DeletionPolicy, words: str) -> None:
    with log.collected() as said:
        assert not RESOURCE.check(inputs(), inputs(wanted=wanted(deletion=policy))).refusals
    assert words in "".join(said)
    assert bool(said) == bool(words)


def test_a_branch_with_copies_is_not_retired(neon: StandIn) -> None:
    neon.branches["br-3"] = {"name": "by-hand", "parent_id": "br-2"}
    said = refusal(RESOURCE.check(inputs(), inputs(wanted=wanted(deletion="delete"))))
    assert said == "prod-v2 can't be retired: Neon keeps a branch as long as it has copies, here by-hand"


def test_a_deletion_that_neon_refused_is_noticed(neon: StandIn) -> None:
    retired = state(inputs(wanted=wanted(deletion="delete")))
    with pytest.raises(StillThereError, match=r"did not delete branch prod-v2 \(br-2\), see its console"):
        RESOURCE.delete(retired)
    neon.branches["br-3"] = {"name": "late", "parent_id": "br-2"}
    with pytest.raises(StillThereError, match="since late was cloned from it: drop that first"):
        RESOURCE.delete(retired)
    RESOURCE.delete(state(inputs()))
    del neon.branches["br-2"]
    RESOURCE.delete(retired)


def test_its_state_is_read_back_as_it_was_written() -> None:
    seen = inputs(seen=Seen(id=BranchId("br-2"), gone=True))
    resource = resource_of("environments:index:BranchSource")
    assert isinstance(resource, BranchSource)
    assert resource.decoded_state("prod-v2", resource.encoded(seen), resource.encoded(SETTLED)) == state(seen)
