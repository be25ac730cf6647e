"""A sample of what `make faults` runs: one fault at one request of a promotion, and what a user does about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.matrix.judge import BY_ITSELF, BY_RECOVERY, BY_UP
from tests.faults.matrix.points import Point
from tests.faults.matrix.run import ran
from tests.faults.matrix.scenarios import built
from tests.faults.matrix.snapshots import Snapshots
from tests.faults.matrix.wire import Asked

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROMOTE = Asked("vercel", "POST", "/v10/projects/*/promote/*", 1)
RESET_PASSWORD = Asked("neon", "POST", "/projects/*/branches/*/roles/neondb_owner/reset_password", 1)
DEPLOY = Asked("vercel", "POST", "/v13/deployments", 1)
SAMPLE = [
    (PROMOTE, "dropped after", {BY_ITSELF}),
    (RESET_PASSWORD, "late effect", {BY_ITSELF, BY_UP, BY_RECOVERY}),
    (DEPLOY, "engine and children", {BY_RECOVERY}),
]


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshots]:
    kept = Snapshots(tmp_path_factory.mktemp("matrix") / "worlds")
    yield kept
    kept.remove()


@pytest.mark.parametrize(
    ("asked", "fault", "allowed"), SAMPLE, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_a_promotion_that_meets_a_fault_converges_and_no_visitor_loses_a_write(
    snapshots: Snapshots, asked: Asked, fault: str, allowed: set[str]
) -> None:
    result = ran(snapshots, Point("promotion", asked, fault))
    assert result.struck == 1, "the request came"
    assert result.verdict in allowed, result
    assert result.lost_writes == 0
    assert result.failed_reads == 0, "reads go on"
    assert result.writes > result.failed_writes
    assert result.left_processes == 0, "what a killed engine had started ends by itself"


def test_a_world_comes_back_from_its_copy_as_it_was(snapshots: Snapshots) -> None:
    built(snapshots, "prod")
    world, site = snapshots.restore("prod")
    before = world.serving()
    assert world.post("/orders", site.domain) == 201
    (world.folder / "later").write_text("")
    world, _ = snapshots.restore("prod")
    assert world.serving() == before
    assert not (world.folder / "later").exists()
