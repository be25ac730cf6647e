"""Visitors and a promotion at the same time: no read fails, and no acknowledged write is lost."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import World
from tests.e2e.visitors import PER_SECOND, Visitors

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_no_request_fails_while_production_is_promoted_and_rolled_back(world: World) -> None:
    visitors = Visitors(world.cloud.vercel_edge_url, world.outputs("prod")["domain"])
    with visitors.visiting():
        world.promote("prod-v2")
        world.edit("prod", serve="prod-v1")
        world.up("prod")
    assert set(visitors.answers) == {"200"}, visitors.answers
    assert visitors.answers["200"] > 2 * PER_SECOND
    assert len(visitors.branches) == 2, "both branches answered in their turn"
