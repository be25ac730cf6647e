"""A branch's past: the log that its ancestors and itself have written, replayed upon a pristine cluster up to a point.

Every compute keeps its whole log, and every branch writes on a timeline of its own. So nothing has to be archived: what
a branch once was is the cluster that its project started from, and the segments of its line up to that moment.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from localcloud.neon import catalog
from localcloud.neon.branching import await_timeline, is_at_rest
from localcloud.neon.compute import Compute, ComputeError
from localcloud.neon.copying import copy_file, copy_tree
from localcloud.neon.errors import ApiError
from localcloud.neon.fleet import Fleet
from localcloud.neon.installation import Installation
from localcloud.neon.points import Point, Position, lsn_text, parse_lsn
from localcloud.neon.records import Branch, Endpoint
from localcloud.neon.template import WAL_SEGMENT_MB

_SEGMENT = WAL_SEGMENT_MB << 20
_SEGMENT_NAME = 24
_TIMELINE_NAME = 8


@dataclass(frozen=True)
class Line:
    """A branch with its ancestors, the root first, and the pristine cluster that the root began as."""

    branches: tuple[Branch, ...]
    base: Path

    @property
    def branch(self) -> Branch:
        """The one whose past it is."""
        return self.branches[-1]


@asynccontextmanager
async def replayed(
    fleet: Fleet,
    installation: Installation,
    line: Line,
    endpoint: Endpoint | None,
    point: Point,
    *,
    target: Path,
    timeline: int,
) -> AsyncIterator[Compute]:
    """A private compute over `target`, where the branch is as it was at the point and lives on a timeline of its own.

    `endpoint` is the one that can write to the branch, if any. A stopped branch stays stopped.
    """
    if not all(branch.start_lsn for branch in line.branches) or not line.base.exists():
        raise ApiError(f"the history of branch {line.branch.id} isn't kept: branch from its head")
    target.parent.mkdir(mode=0o700)
    await _gather(fleet, installation, line, endpoint, point, target=target)
    await asyncio.to_thread(await_timeline, installation, target, line.branch.timeline, timeline, "recovery.signal")
    recovery = {"restore_command": "false", "recovery_target_timeline": str(line.branch.timeline)}
    stopping = {**point.recovery(), "recovery_target_action": "promote"}
    try:
        async with fleet.private(target, recovery | stopping) as compute:
            yield compute
            return
    except ComputeError as error:
        if "before configured recovery target was reached" not in str(error):
            raise
    # Nothing was logged after the point: all that there is belongs to it.
    async with fleet.private(target, recovery) as compute:
        yield compute


def forked_at(data: Path, timeline: int) -> str:
    """The position where the timeline left the one before it."""
    history = (data / "pg_wal" / f"{timeline:08X}.history").read_text()
    return [line for line in history.splitlines() if line.strip()][-1].split("\t")[1]


async def _gather(
    fleet: Fleet, installation: Installation, line: Line, endpoint: Endpoint | None, point: Point, *, target: Path
) -> None:
    data = fleet.data(line.branch)
    async with fleet.cold(line.branch.id):
        if endpoint is None or (fleet.running(endpoint.id) is None and is_at_rest(installation, data)):
            control = installation.control_data(data)
            end = parse_lsn(control["Latest checkpoint location"])
            if control["Database cluster state"] == "shut down":
                _require_written(point, end, line.branch)
            else:
                end = parse_lsn(control["Latest checkpoint's REDO location"])
            await asyncio.to_thread(_lay_out, fleet, installation, line, target, end)
            return
    async with fleet.session(endpoint) as compute, catalog.connect(compute.sockets) as connection:
        # One commit after the point, and everything before it on disk, asynchronous commits too.
        await connection.execute("SET synchronous_commit = on")
        before = parse_lsn(await catalog.log_position(connection))
        await connection.execute("SELECT pg_logical_emit_message(true, 'point', '')")
        end = parse_lsn(await catalog.log_position(connection))
        _require_written(point, end, line.branch)
        await asyncio.to_thread(_lay_out, fleet, installation, line, target, before)


def _require_written(point: Point, end: int, branch: Branch) -> None:
    if isinstance(point, Position) and point.lsn > end:
        raise ApiError(
            f"LSN {lsn_text(point.lsn)} is ahead of branch {branch.id}, whose end is {lsn_text(end)}: "
            "name an earlier one"
        )


def _lay_out(fleet: Fleet, installation: Installation, line: Line, target: Path, still_written: int) -> None:
    """Copy the pristine cluster, and add the log of the whole line.

    Files that nobody writes to any more are linked, those from the position `still_written` on are copied.
    """
    copy_tree(line.base, target, installation, skip=lambda path: path == "pg_wal", cancelled=Event())
    for folder in ("archive_status", "summaries"):
        (target / "pg_wal" / folder).mkdir(mode=0o700)
        installation.give(target / "pg_wal" / folder)
    first = installation.control_data(line.base)["Latest checkpoint's REDO WAL file"][_TIMELINE_NAME:]
    own = line.branch.timeline
    lasts = _last_segments(fleet.data(line.branch) / "pg_wal", own)
    # The root first: of two files of one name, an ancestor's own holds more than a descendant's copy.
    for branch in line.branches:
        for file in sorted((fleet.data(branch) / "pg_wal").iterdir()):
            copy = target / "pg_wal" / file.name
            if copy.exists():
                continue
            if file.suffix == ".history" and file.stat().st_size:
                copy_file(file, copy, installation)
            if len(file.name) != _SEGMENT_NAME:
                continue
            timeline, place = int(file.name[:_TIMELINE_NAME], 16), file.name[_TIMELINE_NAME:]
            if timeline not in lasts or not first <= place <= lasts[timeline]:
                continue
            if timeline == own and place >= _place(still_written):
                copy_file(file, copy, installation)
            else:
                os.link(file, copy)


def _last_segments(log: Path, timeline: int) -> dict[int, str]:
    """The timelines that lead to this one, and the place of the last segment that matters of each."""
    lasts = {timeline: "F" * (_SEGMENT_NAME - _TIMELINE_NAME)}
    history = log / f"{timeline:08X}.history"
    if history.exists():
        for entry in history.read_text().splitlines():
            if entry.strip():
                ancestor, left_at, _ = entry.split("\t", 2)
                lasts[int(ancestor)] = _place(parse_lsn(left_at))
    return lasts


def _place(lsn: int) -> str:
    """A segment's name without its timeline."""
    return f"{lsn >> 32:08X}{(lsn & 0xFFFFFFFF) // _SEGMENT:08X}"
