"""Processes that a killed engine left behind: plugins and language hosts, with the API tokens in their environment.

Our own plugin ends when its engine is gone. The providers' plugins and Pulumi's language host wait for ever. They are
named and not ended here: a person can see what they are, and whether somebody runs one by hand.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PARTS: Final = ("pulumi-resource-", "pulumi-language-")
"""How the engine calls the programs that it starts."""
_CODE: Final = {"-c", "-m"}
"""Options of interpreters after which no script follows."""
_ENGINE: Final = "pulumi"
_MOST_ANCESTORS: Final = 64


@dataclass(frozen=True)
class Orphan:
    """A process that no engine owns: its id, and the plugin or host that it is."""

    pid: int
    name: str


def orphans(folder: Path, proc: Path = _PROC) -> list[Orphan]:
    """Return the plugins and language hosts that work for the program in `folder` and have no engine above them.

    Only this user's, and only where the system has Linux' /proc: elsewhere none.
    """
    found = []
    for process in _numbered(proc):
        try:
            if process.stat().st_uid != os.getuid() or not _works_in(process, folder):
                continue
            name = _plugin(process)
            if name and not _has_engine(process, proc):
                found.append(Orphan(int(process.name), name))
        except OSError:
            continue  # it has ended, or isn't ours to look at
    return sorted(found, key=lambda orphan: orphan.pid)


def _numbered(proc: Path) -> Iterator[Path]:
    if not proc.is_dir():
        return
    for each in proc.iterdir():
        if each.name.isdecimal() and int(each.name) != os.getpid():
            yield each


def _works_in(process: Path, folder: Path) -> bool:
    return (process / "cwd").readlink().is_relative_to(folder.resolve())


def _plugin(process: Path) -> str:
    """Return the name of the plugin or host that the process is, empty if it is none.

    That is the program itself, or the script that an interpreter runs: its first argument that is no option.
    """
    program, *arguments = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    options = list(itertools.takewhile(lambda argument: argument.startswith("-"), arguments))
    script = "" if _CODE & set(options) else next(iter(arguments[len(options) :]), "")
    names = (Path(each).name for each in (program, script))
    return next((name for name in names if name.startswith(_PARTS)), "")


def _has_engine(process: Path, proc: Path) -> bool:
    """Tell whether an engine is among the ancestors of the process."""
    pid = _parent(process)
    for _ in range(_MOST_ANCESTORS):
        if pid <= 1:
            return False
        above = proc / str(pid)
        if (above / "comm").read_text().strip() == _ENGINE:
            return True
        pid = _parent(above)
    return True


def _parent(process: Path) -> int:
    # The command stands in parentheses and may hold spaces and parentheses itself.
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])
