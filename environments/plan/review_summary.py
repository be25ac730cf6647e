"""What a review says of the settings, in words."""

from __future__ import annotations

from environments.plan.topology import ReviewSummary
from environments.settings import BranchSettings, Settings
from environments.settings.values import NEVER

_STRATEGIES = {
    "clone-and-promote": "Clone & Promote",
    "pointer-swap": "Pointer Swap",
    "standard-migration": "Standard Migration",
}


def review_summary(settings: Settings, stack: str) -> ReviewSummary:
    """Return what the review of a move to the served branch says of the settings."""
    branch = _served(settings, stack)
    return ReviewSummary(
        target=settings.target,
        strategy=_STRATEGIES[settings.strategy.kind],
        source=_source(settings, stack),
        moment=f"as of {branch.at}" if branch and branch.at else "",
        compute=_compute(settings),
        build=_build(settings),
    )


def _served(settings: Settings, stack: str) -> BranchSettings | None:
    """Return the served branch, or None if it belongs to another stack."""
    return settings.branches[settings.serve.branch] if settings.serve.stack in (None, stack) else None


def _source(settings: Settings, stack: str) -> str:
    branch = _served(settings, stack)
    if branch is None:
        return ""
    if branch.adopt:
        return ""
    if branch.source is None:
        return "the project's default branch"
    own = branch.source.stack in (None, stack)
    copied = f", by dump and restore into Neon project {branch.project}," if branch.project else ""
    return (branch.source.branch if own else f"{branch.source.branch} (stack {branch.source.stack})") + copied


def _build(settings: Settings) -> str:
    redeploy = settings.app is not None and settings.app.redeploy
    what = "what is in production now, built again with the new URLs" if redeploy else "a build with the new URLs"
    return f"{what}, staged and probed before it gets the domain"


def _compute(settings: Settings) -> str:
    compute = settings.compute
    size = (
        f"{compute.min_cu:g} CU"
        if compute.min_cu == compute.largest
        else f"{compute.min_cu:g} to {compute.largest:g} CU"
    )
    idle = "never suspends" if compute.suspend == NEVER else f"suspends after {compute.suspend} s without a connection"
    return f"{size}, {idle}"
