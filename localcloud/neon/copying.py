"""Copies of data directories: shared extents where the file system can, bytes elsewhere.

Runs in threads. A running Postgres may delete or grow files meanwhile, which its write-ahead log makes good.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from localcloud.neon.installation import Installation

_FICLONE = 0x40049409
_CANNOT_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
_WORKERS = 2


class CopyCancelledError(Exception):
    """Somebody needs the source."""


def copy_tree(
    source: Path, target: Path, installation: Installation, *, skip: Callable[[str], bool], cancelled: Event
) -> int:
    """Copy a data directory and return the bytes of its files; `skip` sees paths relative to the source.

    A skipped directory is made empty, a skipped file isn't made. Links are not followed and not copied.
    """
    files: list[str] = []
    _make_folder(target, installation)
    pending = [""]
    while pending:
        folder = pending.pop()
        for entry in _entries(source / folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                _make_folder(target / path, installation)
                if not skip(path):
                    pending.append(path)
            elif entry.is_file(follow_symlinks=False) and not skip(path):
                files.append(path)

    def copy_share(number: int) -> int:
        size = 0
        for path in files[number::_WORKERS]:
            if cancelled.is_set():
                raise CopyCancelledError
            size += _copy_file(f"{source}/{path}", f"{target}/{path}", installation)
        return size

    with ThreadPoolExecutor(_WORKERS) as pool:
        return sum(pool.map(copy_share, range(_WORKERS)))


def copy_file(source: Path, target: Path, installation: Installation) -> None:
    """Copy one file; one that vanished meanwhile is none."""
    _copy_file(str(source), str(target), installation)


def remove_tree(path: Path) -> None:
    """Delete a directory that may be gone already."""
    shutil.rmtree(path, ignore_errors=True)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


def _make_folder(path: Path, installation: Installation) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    installation.give(path)


def _copy_file(source: str, target: str, installation: Installation) -> int:
    try:
        reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return 0
    try:
        status = os.fstat(reading)
        if not stat.S_ISREG(status.st_mode):
            return 0
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if os.geteuid() == 0:
                os.fchown(writing, installation.owner.uid, installation.owner.gid)
            if status.st_size and not _cloned(reading, writing):
                _copy_bytes(reading, writing)
        finally:
            os.close(writing)
        return status.st_size
    finally:
        os.close(reading)


def _cloned(reading: int, writing: int) -> bool:
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def _copy_bytes(reading: int, writing: int) -> None:
    while os.copy_file_range(reading, writing, 1 << 24):
        pass


def size_of_data(data: Path) -> int:
    """Bytes of the files that hold tables and catalogs."""
    return sum(
        file.stat(follow_symlinks=False).st_size
        for folder in (data / "global", *(data / "base").iterdir())
        for file in _entries(folder)
    )
