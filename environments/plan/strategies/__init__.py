"""How the pointer may move: where each strategy lets it go, and which stack files are wrong.

What is wrong in the stack file alone is refused here. What depends on where the pointer is now is refused at the
cutover (environments/cutover/guard.py): a move that the strategy doesn't allow, a live environment, rows left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from environments.plan.strategies import clone_and_promote, pointer_swap, standard_migration
from environments.settings import CloneAndPromote, PointerSwap, Problem, Settings, StandardMigration, Strategy

if TYPE_CHECKING:
    from environments.plan.topology import Moves

__all__ = ["allowed_moves", "pointer_problems"]


def allowed_moves(strategy: Strategy) -> Moves:
    """Return where `strategy` lets the pointer move. Wherever it is, it may stay."""
    match strategy:
        case CloneAndPromote():
            return clone_and_promote.MOVES
        case PointerSwap():
            return pointer_swap.MOVES
        case StandardMigration():
            return standard_migration.MOVES
        case _:
            assert_never(strategy)


def pointer_problems(settings: Settings, stack: str) -> list[Problem]:
    """Return what is wrong with `serve`."""
    serve, known = settings.serve, ", ".join(settings.branches) or "none yet"
    if serve.stack in (None, stack):
        if serve.branch in settings.branches:
            return []
        rule, remedy = f"{stack} has no such branch", f"Add it under branches, or serve one of: {known}"
        return [Problem("environments:serve", repr(serve.branch), rule, remedy)]
    if settings.target == "development":
        rule, remedy = "development serves a branch of its own stack", f"Serve one of: {known}"
        return [Problem("environments:serve", f"{serve.branch!r} of stack {serve.stack!r}", rule, remedy)]
    return []
