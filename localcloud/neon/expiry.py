"""Branches that end by themselves: which ones may, and the sweep that deletes them when their time has come."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import ApiError, LockedError, UnprocessableError
from localcloud.neon.points import moment_text, parse_moment
from localcloud.neon.records import Branch

log = logging.getLogger("localcloud.neon")

_LONGEST = timedelta(days=30)
_SWEEP_SECONDS = 1.0


def expire_at(control: ControlPlane, branch: Branch, text: str | None) -> None:
    """Let the branch end at this time; None lets it live."""
    if text is None:
        branch.expires_at = branch.ttl_interval_seconds = None
        return
    moment, now = parse_moment(text, "expires_at"), datetime.now(UTC)
    if moment <= now:
        raise ApiError(f"expires_at {text} is in the past, it is {moment_text(now)}: name a later time")
    if moment > now + _LONGEST:
        raise ApiError(f"expires_at {text} is more than {_LONGEST.days} days away: name an earlier time")
    branch.expires_at = moment_text(moment)
    branch.ttl_interval_seconds = round((moment - now).total_seconds())
    require_may_expire(control, branch)


def require_may_expire(control: ControlPlane, branch: Branch) -> None:
    """Refuse an end for a branch that others rely on."""
    if branch.expires_at is None:
        return
    for reason, holds in (
        ("the default branch", branch.is_default),
        ("protected", branch.protected),
        ("the parent of other branches", bool(control.store.all(Branch, parent_id=branch.id))),
    ):
        if holds:
            raise UnprocessableError(
                f"branch {branch.id} is {reason} and can't have expires_at: set it to null, or use another branch"
            )


def require_lives_on(parent: Branch) -> None:
    """Refuse a child of a branch that is going to end."""
    if parent.expires_at is not None:
        raise UnprocessableError(
            f"branch {parent.id} expires at {parent.expires_at} and can't have children: set that to null first"
        )


def live_as_long_again(branch: Branch) -> None:
    """Start its time anew, as a restore does."""
    if branch.ttl_interval_seconds is not None:
        branch.expires_at = moment_text(datetime.now(UTC) + timedelta(seconds=branch.ttl_interval_seconds))


async def sweep(control: ControlPlane) -> None:
    """Delete the branches whose time has come."""
    now = datetime.now(UTC)
    for found in control.store.all(Branch):
        if found.expires_at is None or datetime.fromisoformat(found.expires_at) > now:
            continue
        try:
            async with control.exclusive(found.project_id):
                # Looked at again: while we waited it may have been deleted, or allowed to live.
                branch = control.store.one(Branch, id=found.id, expires_at=found.expires_at)
                if branch is not None:
                    await control.remove_branch(branch)
                    log.info("%s has expired", branch.id)
        except LockedError:
            continue


async def sweep_forever(control: ControlPlane) -> None:
    """Sweep every second."""
    while True:
        try:
            await sweep(control)
        except Exception:
            log.exception("deleting expired branches failed")
        await asyncio.sleep(_SWEEP_SECONDS)
