"""New branches: a copy of the parent's data directory as of now, which the parent never notices.

A running parent is copied in backup mode while its clients write on; the copy replays what was written meanwhile when
its compute first starts. A stopped parent is copied as it lies. Either way the branch goes on along a timeline of its
own, unique in its project, so that the write-ahead logs of all branches can share one archive.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from localcloud.neon import catalog
from localcloud.neon.compute import Compute
from localcloud.neon.copying import CopyCancelledError, copy_file, copy_tree, remove_tree, size_of_data
from localcloud.neon.fleet import Fleet
from localcloud.neon.installation import Installation
from localcloud.neon.records import Branch, Endpoint

# What a copy of a running cluster must or may leave out, as pg_basebackup does.
_NOT_COPIED = {"postmaster.pid", "postmaster.opts", "pg_internal.init", "promote", "backup_label", "tablespace_map"}
_EMPTY_FOLDERS = {
    "pg_wal",
    "pg_replslot",
    "pg_dynshmem",
    "pg_notify",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
}


_SEGMENT_NAME = 24
_TIMELINE_NAME = 8


@dataclass(frozen=True)
class Origin:
    """The point of the parent's history where the branch begins."""

    lsn: str
    taken_at: datetime
    size: int


async def copy_branch(
    fleet: Fleet, installation: Installation, parent: Branch, endpoint: Endpoint | None, *, target: Path, timeline: int
) -> Origin:
    """Fill `target` with the parent's present content; `endpoint` is the one that can write to the parent, if any."""
    target.parent.mkdir(mode=0o700)
    source = fleet.data(parent)
    try:
        async with fleet.cold(parent.id) as wanted:
            if endpoint is None or (fleet.running(endpoint.id) is None and is_at_rest(installation, source)):
                return await asyncio.to_thread(_copy_stopped, installation, source, target, timeline, wanted)
    except CopyCancelledError:
        await asyncio.to_thread(remove_tree, target)
    assert endpoint is not None
    async with fleet.session(endpoint) as compute:
        return await _copy_running(installation, compute, target, timeline)


def is_at_rest(installation: Installation, data: Path) -> bool:
    """Whether the files alone say all: it was stopped cleanly, or was never started since it was copied."""
    return never_started(data) or installation.control_data(data)["Database cluster state"] == "shut down"


def never_started(data: Path) -> bool:
    """Whether it is a copy that still has to find its own timeline."""
    return (data / "standby.signal").exists()


def _copy_stopped(installation: Installation, source: Path, target: Path, timeline: int, wanted: Event) -> Origin:
    control = installation.control_data(source)
    # A copy that never started needs all of its little log; one that was stopped cleanly, its last checkpoint.
    oldest = "" if never_started(source) else control["Latest checkpoint's REDO WAL file"][_TIMELINE_NAME:]

    def left_out(path: str) -> bool:
        folder, _, name = path.rpartition("/")
        is_old = folder == "pg_wal" and len(name) == _SEGMENT_NAME and name[_TIMELINE_NAME:] < oldest
        return is_old or path in {"postmaster.pid", "promote"}

    copy_tree(source, target, installation, skip=left_out, cancelled=wanted)
    await_timeline(installation, target, int(control["Latest checkpoint's TimeLineID"]), timeline)
    return Origin(control["Latest checkpoint location"], datetime.now(UTC), size_of_data(target))


async def _copy_running(installation: Installation, compute: Compute, target: Path, timeline: int) -> Origin:
    async with catalog.connect(compute.sockets) as connection:
        # The slot keeps the write-ahead log since the backup's start. It goes when the session has ended, which the
        # server notices later than the client: the next copy's needs another name.
        slot = f"branch_{secrets.token_hex(8)}"
        await connection.execute("SELECT pg_create_physical_replication_slot(%s, true, true)", (slot,))
        await connection.execute("SELECT pg_backup_start('branch', fast => true)")
        await asyncio.to_thread(_copy_backup, installation, compute.data, target)
        stopped = await connection.execute(
            "SELECT lsn::text, labelfile, pg_walfile_name(lsn) FROM pg_backup_stop(wait_for_archive => false)"
        )
        row = await stopped.fetchone()
        assert row is not None
        lsn, label, last_segment = (str(value) for value in row)
        taken_at = datetime.now(UTC)
        size = await asyncio.to_thread(
            _complete_backup,
            installation,
            compute.data,
            target,
            label=label,
            last_segment=last_segment,
            timeline=timeline,
        )
        return Origin(lsn, taken_at, size)


def _copy_backup(installation: Installation, source: Path, target: Path) -> None:
    copy_tree(source, target, installation, skip=_left_out_of_backup, cancelled=Event())
    # The one file that no log can mend is copied again if Postgres wrote it at the same moment.
    while not installation.control_data(target):
        copy_file(source / "global" / "pg_control", target / "global" / "pg_control", installation)


def _left_out_of_backup(path: str) -> bool:
    name = path.rpartition("/")[2]
    return path in _EMPTY_FOLDERS or name in _NOT_COPIED or name.startswith("pgsql_tmp")


def _complete_backup(
    installation: Installation, source: Path, target: Path, *, label: str, last_segment: str, timeline: int
) -> int:
    """Add the log from the backup's start to its end, the histories of the timelines before, and the label."""
    first_segment = _from_label(label, r"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)")
    for folder in ("archive_status", "summaries"):
        (target / "pg_wal" / folder).mkdir(mode=0o700)
        installation.give(target / "pg_wal" / folder)
    for file in (source / "pg_wal").iterdir():
        is_segment = len(file.name) == len(last_segment) and first_segment <= file.name <= last_segment
        if is_segment or file.suffix == ".history":
            copy_file(file, target / "pg_wal" / file.name, installation)
    _write(installation, target / "backup_label", label)
    await_timeline(installation, target, int(_from_label(label, r"START TIMELINE: (\d+)")), timeline)
    return size_of_data(target)


def await_timeline(
    installation: Installation, target: Path, parents: int, timeline: int, signal: str = "standby.signal"
) -> None:
    """Let the first start recover and promote; it takes the first timeline without a history: mark the others taken."""
    for taken in range(parents + 1, timeline):
        mark = target / "pg_wal" / f"{taken:08X}.history"
        if not mark.exists():
            _write(installation, mark, "")
    _write(installation, target / signal, "")


def _from_label(label: str, pattern: str) -> str:
    found = re.search(f"^{pattern}$", label, re.MULTILINE)
    assert found is not None, label
    return found[1]


def _write(installation: Installation, path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    installation.give(path)
