"""Branches whose line has gone from the stack file since the last update: what becomes of them, in words."""

from __future__ import annotations

from collections.abc import Collection

from environments.ids import DeletionPolicy
from environments.plan.topology import StackExports

_GOES = "Neon deletes it with this update, with every row on it"
_TOLD: dict[DeletionPolicy | None, str] = {
    "delete": f"it was retired: {_GOES}. To keep it, put its line back",
    "expire": f"it is temporary: {_GOES}. To keep it, put its line back",
    "orphan": "it was released: in Neon it lives on as it is",
    None: "nobody has let go of it: while Neon has it, this is refused. Put its line back, with retire: true (it goes, "
    "with its rows) or release: true (it lives on), run pulumi up, then drop the line",
}


def dropped(kept: Collection[str], before: StackExports) -> list[str]:
    """Return a sentence for each branch that isn't among those `kept`, given what the stack exported last.

    After an update that failed a stack exports nothing. It is the engine that refuses to delete what is protected.
    """
    gone = [key for key in before.branches if key not in kept]
    return [f"{key} is dropped; {_TOLD[before.leaving.get(key)]}" for key in gone]
