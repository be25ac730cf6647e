"""A process of its own for each edit, as a plugin has one: it can be killed at any request, and what it said stays."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

from environments import log
from environments.errors import EnvironmentsError
from tests.faults.histories.stack import RefusedByCheckError, Say, Stack

Work = Callable[[Stack, Say], None]
PRELOADED = ["tests.faults.histories.stack", "httpx", "psycopg"]
LIFE_SECONDS = 300.0


@dataclass(frozen=True)
class End:
    """How a life ended: well, with an error in words, or killed."""

    error: str = ""
    killed: bool = False
    said: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether everything was done."""
        return not self.error and not self.killed


def context() -> ForkServerContext:
    """Return what makes such processes, in some milliseconds each."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found


@dataclass
class Life:
    """One such process."""

    process: multiprocessing.process.BaseProcess | None = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process:
            self.process.kill()

    def lived(
        self, work: Callable[..., None], stack: Stack, arguments: tuple[object, ...], env: Mapping[str, str]
    ) -> tuple[Stack, End]:
        """Run `work(stack, *arguments, say)`; return the state that was said last, and how it ended."""
        mine, its = context().Pipe()
        self.process = context().Process(target=_live, args=(its, work, stack, arguments, dict(env)), daemon=True)
        self.process.start()
        its.close()
        end = End(killed=True)
        with contextlib.suppress(EOFError, OSError):
            while True:
                if not mine.poll(LIFE_SECONDS):
                    self.process.kill()
                    end = End(error=f"it hung for {LIFE_SECONDS:g} s")
                    break
                said = mine.recv()
                if isinstance(said, End):
                    end = said
                    break
                stack = said
        self.process.join()
        return stack, end


def _live(
    parent: Connection, work: Callable[..., None], stack: Stack, arguments: tuple[object, ...], env: Mapping[str, str]
) -> None:
    os.environ.update(env)
    with log.collected() as said:
        error = ""
        try:
            work(stack, *arguments, parent.send)
        except (EnvironmentsError, RefusedByCheckError, AssertionError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        except Exception as failure:  # noqa: BLE001 - an error that isn't ours is a finding, and is told
            error = f"UNEXPECTED {type(failure).__name__}: {failure}"
    parent.send(End(error=error, said=tuple(said)))
