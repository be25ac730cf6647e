"""Branches whose line has gone from the stack file since the last update: what becomes of them, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from components.topology import Fate

_GOES = "Neon deletes it with this update, with every row on it"
_REFUSED = (
    "nobody has let go of it: while Neon has it, this is refused. Put its line back, with retire: true (it goes, "
    "with its rows) or release: true (it lives on), run pulumi up, then drop the line"
)
_TOLD: dict[Fate | None, str] = {
    "retired": f"it was retired: {_GOES}. To keep it, put its line back",
    "temporary": f"it is temporary: {_GOES}. To keep it, put its line back",
    "released": "it was released: in Neon it lives on as it is",
    "kept": _REFUSED,
    None: _REFUSED,
}


def dropped(kept: Collection[str], before: Mapping[str, Fate | None]) -> list[str]:
    """Return a sentence for each branch that isn't among those `kept`.

    `before` has the branches that the environment had at its last update, and what was to become of each when its line
    is dropped (None: the engine refuses). The engine itself refuses to delete what is protected.
    """
    return [f"{key} is dropped; {_TOLD[fate]}" for key, fate in before.items() if key not in kept]
