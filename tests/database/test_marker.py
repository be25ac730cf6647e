"""The marker in a role's comment: read as it was written, ignored if it is another's, refused if it is newer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from psycopg import sql

from environments.database.marker import (
    BranchMarker,
    Claim,
    drop_claim,
    read_claims,
    read_marker,
    write_marker,
)
from environments.errors import StateError
from environments.ids import BranchId, DeploymentId, RoleName, StackName, Transaction
from tests.resources.computes import Database, Session, run

pytestmark = pytest.mark.slow

BRANCH = BranchId("br-1")
CLAIM = Claim(StackName("prod"), 0.25, 4, -1, protected=True)
PLAIN = BranchMarker(BRANCH, Transaction("18446744073709551615"))


@pytest.fixture
def role(database: Database, owner: Session) -> RoleName:
    run(owner, f'CREATE ROLE "{database.role}"')
    return database.role


def comment(owner: Session, role: RoleName, text: str | None = None) -> str:
    """Write a role's comment by hand if a text is given; return what it is."""
    if text is not None:
        owner.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(role), sql.Literal(text)))
    [(found,)] = owner.execute("SELECT shobj_description(%s::regrole, 'pg_authid')", (f'"{role}"',)).fetchall()
    return str(found)


@pytest.mark.parametrize(
    "marker",
    [PLAIN, replace(PLAIN, served_by=DeploymentId("dpl_1")), replace(PLAIN, claim=CLAIM)],
    ids=["plain", "served", "claimed"],
)
def test_a_marker_is_read_as_it_was_written(owner: Session, role: RoleName, marker: BranchMarker) -> None:
    assert read_marker(owner, [role], BRANCH) is None
    write_marker(owner, role, marker)
    assert read_marker(owner, [RoleName("nobody"), role], BRANCH) == marker
    assert read_marker(owner, [RoleName("nobody")], BRANCH) is None
    assert read_claims(owner, BRANCH) == ({role: marker.claim} if marker.claim else {})
    assert json.loads(comment(owner, role))["environments"] == 1


def test_a_copy_has_its_sources_marker_which_is_not_its_own(owner: Session, role: RoleName) -> None:
    write_marker(owner, role, replace(PLAIN, claim=CLAIM))
    assert read_marker(owner, [role], BranchId("br-2")) is None
    assert read_claims(owner, BranchId("br-2")) == {}


@pytest.mark.parametrize(
    "text", ["the shop's role", '"environments"', "[1]", '{"environments": "1"}', '{"branch": "br-1"}']
)
def test_a_comment_of_somebody_else_is_no_marker(owner: Session, role: RoleName, text: str) -> None:
    comment(owner, role, text)
    assert read_marker(owner, [role], BRANCH) is None
    assert read_claims(owner, BRANCH) == {}
    drop_claim(owner, [role], BRANCH)
    assert comment(owner, role) == text


def test_a_marker_of_a_newer_version_is_refused_and_so_is_one_that_is_broken(owner: Session, role: RoleName) -> None:
    comment(owner, role, '{"environments": 2, "branch": "br-1", "something": "new"}')
    for reads in (read_claims, lambda connection, branch: read_marker(connection, [role], branch)):
        with pytest.raises(StateError, match="a marker of a newer version of environments"):
            reads(owner, BRANCH)
    comment(owner, role, '{"environments": 1, "branch": "br-1"}')
    with pytest.raises(StateError, match="the marker's baseline is missing"):
        read_marker(owner, [role], BRANCH)


def test_a_claim_is_taken_back_and_the_rest_of_the_marker_stays(owner: Session, role: RoleName) -> None:
    marker = replace(PLAIN, served_by=DeploymentId("dpl_1"), claim=CLAIM)
    write_marker(owner, role, marker)
    drop_claim(owner, [role], BranchId("br-2"))
    assert read_marker(owner, [role], BRANCH) == marker
    drop_claim(owner, [role], BRANCH)
    assert read_marker(owner, [role], BRANCH) == replace(marker, claim=None)
    assert read_claims(owner, BRANCH) == {}


def test_a_claim_says_what_a_branch_lacks_and_what_a_stack_file_needs() -> None:
    assert CLAIM.lacks(0.25, 4, -1, protected=True) == []
    assert CLAIM.lacks(0.125, 2, 300, protected=False) == [
        "min_cu 0.125, needed at least 0.25",
        "max_cu 2, needed at least 4",
        "suspend 300 s, needed never",
        "no protection in Neon, needed since safety.protected is on",
    ]
    assert replace(CLAIM, suspend_seconds=600).lacks(1, 4, 300, protected=True) == [
        "suspend 300 s, needed not before 600 s"
    ]
    assert CLAIM.settings() == "compute: {min_cu: 0.25, max_cu: 4, suspend: never}, protected: true"
