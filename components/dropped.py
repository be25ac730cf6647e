"""Branches whose line has gone from the stack file since the last update: what becomes of them, or a refusal."""

from __future__ import annotations

from components.settings import Settings, SettingsError
from components.settings.errors import Problem
from components.topology import Fate, StackExports

_GOES = "Neon deletes it with this update, with every row on it"
_TOLD: dict[Fate, str] = {
    "retired": f"it was retired: {_GOES}",
    "temporary": f"it is temporary: {_GOES}",
    "released": "it was released: in Neon it lives on as it is",
}


def dropped(settings: Settings, stack: str, before: StackExports) -> list[str]:
    """Return a sentence for each branch that is dropped, given what the stack exported at its last update.

    Raises SettingsError for those that nobody has let go of. After an update that failed a stack exports nothing: then
    the engine refuses to delete what is protected, and says so in its own words.
    """
    gone = [key for key in before.branches if key not in settings.branches]
    if problems := [_problem(key) for key in gone if key not in before.leaving]:
        raise SettingsError(problems, stack)
    return [f"{key} is dropped; {_TOLD[before.leaving[key]]}. To keep it, put its line back" for key in gone]


def _problem(key: str) -> Problem:
    remedy = (
        "Put its line back with retire: true (it goes, with its rows) or release: true (it lives on), run pulumi up"
    )
    return Problem(
        f"environments:branches.{key}", "", "its line is gone, and nobody has let go of it", f"{remedy}, then drop it"
    )
