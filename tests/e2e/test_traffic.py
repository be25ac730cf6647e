"""Visitors and a promotion at the same time: no read fails, and no acknowledged write is lost."""

from __future__ import annotations

import re
import statistics

import pytest

from tests.e2e.conftest import World
from tests.e2e.visitors import PER_SECOND, Visitors, Writers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_while_production_moves_no_read_fails_or_takes_longer(world: World) -> None:
    no_request_fails_while_production_is_promoted_and_rolled_back(world)
    while_writes_wait_reads_are_as_fast_as_ever(world)


def no_request_fails_while_production_is_promoted_and_rolled_back(world: World) -> None:
    visitors = Visitors(world.cloud.vercel_edge_url, world.outputs("prod")["domain"])
    with visitors.visiting():
        world.promote("prod-v2")
        world.edit("prod", serve="prod-v1")
        world.up("prod")
    assert set(visitors.answers) == {"200"}, visitors.answers
    assert visitors.answers["200"] > 2 * PER_SECOND
    assert len(visitors.branches) == 2, "both branches answered in their turn"


def while_writes_wait_reads_are_as_fast_as_ever(world: World) -> None:
    edge, domain = world.cloud.vercel_edge_url, world.outputs("prod")["domain"]
    readers, writers = [Visitors(edge, domain) for _ in range(3)], Writers(edge, domain)
    world.edit("prod", accept={"branch": "prod-v1", "rows": "any"})
    with readers[0].visiting(), readers[1].visiting(), readers[2].visiting(), writers.visiting():
        said = world.promote("prod-v3")
    paused = float(re.findall(r"writes paused for ([\d.]+) s, reads for none", said)[0])
    reads = [seconds for reader in readers for seconds in reader.seconds]
    print(
        f"writes paused for {paused:.2f} s; {len(reads)} reads, median {statistics.median(reads):.3f} s, slowest "
        f"{max(reads):.2f} s; {len(writers.seconds)} writes, slowest {max(writers.seconds):.2f} s, "
        f"{dict(writers.answers)}"
    )
    assert {answer for reader in readers for answer in reader.answers} == {"200"}
    assert set(writers.answers) <= {"201", "503"}
    assert writers.answers["503"] <= 4, "one for each connection that waited while the domain moved"
