"""How the demo talks: a numbered step with its time, and lines below it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_WIDTH = 88


class Narrator:
    """Numbers the steps and times them."""

    def __init__(self) -> None:
        """Begin with the first step."""
        self._step = 0
        self._began = time.monotonic()
        self._bold, self._dim, self._plain = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step; print how long it took when it has ended."""
        self._step += 1
        print(f"\n{self._bold}{self._step:>2}  {title}{self._plain}", flush=True)
        began = time.monotonic()
        yield
        print(f"{self._dim}{f'{time.monotonic() - began:.1f} s':>{_WIDTH}}{self._plain}", flush=True)

    def say(self, text: str) -> None:
        """Print text below the step's title."""
        for line in text.splitlines():
            print(f"    {line}", flush=True)

    def end(self) -> None:
        """Print how long everything took."""
        print(f"\n{self._bold}Done in {time.monotonic() - self._began:.0f} s.{self._plain}", flush=True)
