"""How the pointer may move: one function per strategy, chosen by the settings."""

from __future__ import annotations

from components.settings import CloneAndPromote, Problem, Settings
from components.strategies.clone_and_promote import clone_and_promote

__all__ = ["pointer_problems"]


def pointer_problems(settings: Settings, stack: str) -> list[Problem]:
    """Return why the settings' strategy doesn't let the pointer lead where `serve` says."""
    match settings.strategy:
        case CloneAndPromote():
            return clone_and_promote(settings, stack)
