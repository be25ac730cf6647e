"""Writers at full speed through twenty moves of the pointer: each acknowledged write is where it was acknowledged."""

from __future__ import annotations

import re
import statistics

import pytest

from tests.e2e.conftest import FROM_DEV, World
from tests.e2e.visitors import Visitors, Writers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MOVES = 20
PAUSE = re.compile(r"writes paused for ([\d.]+) s")


def test_no_acknowledged_write_is_lost_and_no_read_fails_through_twenty_moves(world: World) -> None:
    edge, domain = world.cloud.vercel_edge_url, world.outputs("prod")["domain"]
    world.edit("prod", branches=world.setting("prod", "branches") | {"prod-v2": FROM_DEV})
    readers, writers = Visitors(edge, domain), Writers(edge, domain)
    pauses = []
    with readers.visiting(), writers.visiting():
        for move in range(MOVES):
            there, back = ("prod-v2", "prod-v1") if move % 2 == 0 else ("prod-v1", "prod-v2")
            world.edit("prod", serve=there, accept={"branch": back, "rows": "any"})
            pauses += [float(seconds) for seconds in PAUSE.findall(world.up("prod"))[:1]]
            assert world.serving()["branch"] == there
    assert set(readers.answers) == {"200"}, (readers.answers, readers.failures)
    assert set(writers.answers) <= {"201", "503"}, writers.answers

    kept = {
        branch: {row[0] for row in world.sql("prod", key, "SELECT id FROM orders")}
        for key, branch in world.outputs("prod")["branches"].items()
    }
    lost = [written for written in writers.acknowledged if written[1] not in kept[written[0]]]
    assert not lost
    assert len({branch for branch, _ in writers.acknowledged}) == 2, "both branches took writes in their turn"
    assert len(pauses) == MOVES
    print(
        f"{len(writers.acknowledged)} writes acknowledged, {writers.answers['503']} refused, "
        f"{readers.answers['200']} reads, none failed; write pause: median {statistics.median(pauses):.2f} s, "
        f"longest {max(pauses):.2f} s"
    )
