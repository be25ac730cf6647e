"""Where the tests' files are, in memory on a machine that has plenty, and what comes first: the files that take long.

Each branch is a copy of some thousand files, and a run makes and deletes hundreds of branches. That costs a disk's file
system half of the processors' time (seen on ext4 without a journal).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

_MEMORY = Path("/dev/shm")  # noqa: S108 - Linux' file system in memory, not a temporary file of a known name
_ENOUGH = 14 * 2**30
"""Bytes that must be free; a run of the whole suite holds 7 GB of files and 4 GB of processes (measured)."""


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest and what it starts use the memory, unless somebody has said where temporary files go."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # xdist would begin with the files of the most tests, which are fast
    use_memory()


def use_memory() -> None:
    """Let temporary files lie in memory, if there is enough of it."""
    if "TMPDIR" not in os.environ and _room() > _ENOUGH:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # it may have been asked for before


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: at the end no process waits for another that has just begun with one."""
    marks: dict[Path, set[str]] = {}
    for item in items:
        marks.setdefault(item.path, set()).update(mark.name for mark in item.iter_markers())
    items.sort(key=lambda item: ("e2e" not in marks[item.path], "slow" not in marks[item.path]))


def _room() -> int:
    if not os.access(_MEMORY, os.W_OK):
        return 0
    return min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
