"""A limit on the time that a block of work takes, which every client keeps: HTTP, SQL, connecting, waiting.

    with TimeLimit(10, "writes to prod-v1 would pause for longer than 10 s"):
        ...

Inside the block no single call takes longer than what is left of the time, and none begins once nothing is left: it
raises OutOfTimeError. Of limits inside each other the one that ends first counts. What undoes the work belongs outside
of the block. A limit holds for the thread that enters it.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Generic, Self, TypeVar

from environments.errors import FailedError

T = TypeVar("T")


class OutOfTimeError(FailedError):
    """A block of work did not end within its time limit."""


class TimeLimit:
    """A time that runs from when it is made; `sentence` says what it means that it is used up.

    It may be entered more than once: what is left counts on outside of its blocks.
    """

    def __init__(self, seconds: float, sentence: str) -> None:
        self.ends = time.monotonic() + seconds
        self.sentence = sentence
        self._tokens: list[Token[TimeLimit | None]] = []

    def __enter__(self) -> Self:
        """Hold what is in the block to this limit, or to the one around it if that ends first."""
        outer = _limit.get()
        governs = self if outer is None or self.ends < outer.ends else outer
        self._tokens.append(_limit.set(governs))
        return self

    def __exit__(self, *_: object) -> None:
        """Hold to what was held to before."""
        _limit.reset(self._tokens.pop())


_limit: ContextVar[TimeLimit | None] = ContextVar("_limit", default=None)


def seconds_left() -> float | None:
    """Return the seconds that are left of the time limit, not below 0; None where there is no limit."""
    limit = _limit.get()
    return None if limit is None else max(0.0, limit.ends - time.monotonic())


def at_most(seconds: float, doing: str) -> float:
    """Return how long a call may take that would take up to `seconds`: that, or what is left of the time limit.

    Raises OutOfTimeError if nothing is left; `doing` then says what could not be waited for.
    """
    left = seconds_left()
    if left == 0:
        raise out_of_time(doing)
    return seconds if left is None else min(seconds, left)


def pause(seconds: float, doing: str) -> None:
    """Sleep for `seconds`. Raises OutOfTimeError as soon as nothing is left of the time limit."""
    time.sleep(at_most(seconds, doing))
    at_most(seconds, doing)


def out_of_time(doing: str) -> OutOfTimeError:
    """Return the error of a call that took all that was left."""
    limit = _limit.get()
    return OutOfTimeError(f"{limit.sentence}: {doing}" if limit else doing)


class _Call(Generic[T]):
    """A call in a thread of its own, and what became of it."""

    def __init__(self, call: Callable[[], T], late: Callable[[T], object]) -> None:
        self._call, self._late = call, late
        self._lock, self._abandoned = threading.Lock(), False
        self.results: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            self.error = error
            return
        with self._lock:
            if not self._abandoned:
                self.results.append(result)
                return
        self._late(result)

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = not self.results and self.error is None


def call_within(seconds: float, call: Callable[[], T], late: Callable[[T], object] = lambda _: None) -> T:
    """Return what `call` returns. Raises TimeoutError after `seconds`, whatever `call` is stuck in by then.

    A call that is given up goes on in its thread, and `late` gets what it returns after all. The limits of the single
    parts of a call (each read, each address of a host) don't sum up to one: an answer may come byte by byte.
    """
    made = _Call(call, late)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(made.run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        made.abandon()
    if made.error is not None:
        raise made.error
    if made.results:
        return made.results[0]
    raise TimeoutError
