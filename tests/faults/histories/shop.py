"""The cloud that histories run on: one for all of them, with a project whose default branch has the app's rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from environments.ids import BranchId, NeonProject
from localcloud import lifecycle
from localcloud.cloud import ROOT
from localcloud.program import Program
from tests.e2e.existing import Existing
from tests.faults.histories.history import Shop


@contextmanager
def shop(state: Path) -> Iterator[Shop]:
    """Start a cloud with such a project; stop it when the block ends."""
    os.environ["LOCALCLOUD_PORTS"] = "any"
    cloud = lifecycle.start(state).cloud
    try:
        hand = Existing.made(cloud, "histories")
        for script in ("migrate", "seed"):
            run = Program(ROOT / "app", cloud).run
            run("npm", "run", "--silent", script, env={"DATABASE_URL": hand.url("main")})
        yield Shop(cloud, NeonProject(hand.neon), BranchId(hand.branches["main"]))
    finally:
        lifecycle.stop(state)
