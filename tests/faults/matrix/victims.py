"""What is killed, at the moment when a request has had its effect and its answer is not sent yet."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from localcloud import lifecycle
from localcloud.daemon import Record

CLOUD_BACK_SECONDS = 2.0
LEFT_SECONDS = 10.0
"""How long what a killed engine had started may go on."""


@dataclass
class Command:
    """A command that runs, with all that it started; and which of that was alive when something of it was killed."""

    pid: int = 0
    state: Path = Path()
    env: dict[str, str] = field(default_factory=dict)
    survivors: list[psutil.Process] = field(default_factory=list)

    def family(self) -> list[psutil.Process]:
        """Return the command's process and all below it."""
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self, wanted: Callable[[psutil.Process], bool]) -> None:
        """Kill those of the family that are wanted, parents first."""
        family = self.family()
        kill([each for each in family if wanted(each)])
        self.survivors += [each for each in family if each not in self.survivors]

    def left(self) -> int:
        """Return how many of a killed command's processes go on for too long; they are ended."""
        _, alive = psutil.wait_procs(self.survivors, timeout=LEFT_SECONDS)
        kill(alive)
        return len(alive)


def kill(processes: Sequence[psutil.Process]) -> None:
    """End them, all at once."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@dataclass(frozen=True)
class Victim:
    """What a kill is aimed at. `replies` says whether the request that was under way is still answered."""

    name: str
    strike: Callable[[Command], None]
    replies: bool = True


def _named(*fragments: str) -> Callable[[Command], None]:
    def strike(command: Command) -> None:
        command.kill(lambda each: any(fragment in _line(each) for fragment in fragments))

    return strike


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[:8])
    except psutil.Error:
        return ""


def _engine(command: Command) -> None:
    command.kill(lambda each: each.name() == "pulumi")


def _everything(command: Command) -> None:
    command.kill(lambda _: True)


def _postgres(command: Command) -> None:
    """Kill each compute's postmaster, whoever owns it, with its sessions."""
    computes = [
        each
        for each in psutil.process_iter(["name", "cmdline"])
        if each.info["name"] == "postgres" and any(str(command.state) in part for part in each.info["cmdline"] or [])
    ]
    sessions = [child for each in computes for child in each.children(recursive=True)]
    kill([*computes, *sessions])


def _cloud(command: Command) -> None:
    record = Record.of_living(command.state)
    assert record, "the local cloud runs"
    os.kill(record.process.pid, signal.SIGKILL)
    threading.Thread(target=_back, args=(command.state,)).start()


def _back(state: Path) -> None:
    time.sleep(CLOUD_BACK_SECONDS)
    lifecycle.start(state)


VICTIMS = (
    Victim("engine", _engine),
    Victim("engine and children", _everything),
    Victim("language host", _named("pulumi-language-python", "language_host.py")),
    Victim("plugin of Neon", _named("pulumi-resource-terraform-provider", "plugins.serve terraform-provider")),
    Victim("plugin of Vercel", _named("pulumi-resource-vercel", "plugins.serve vercel")),
    Victim("our own plugin", _named("pulumi-resource-environments", "environments.plugin")),
    Victim("Postgres", _postgres),
    Victim("local cloud", _cloud, replies=False),
)
RECOVERY = "recovery"
"""Not in the list: recovery is killed on its way, after a kill of the engine and its children."""
EVERYTHING = VICTIMS[1]
