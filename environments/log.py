"""What a reviewer or an operator reads while a command runs. Whoever runs the code decides where it goes.

Under the Pulumi engine a text becomes a diagnostic of its resource; elsewhere it goes to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Severity = Literal["info", "warning"]
Sink = Callable[[Severity, str], None]


def _to_standard_error(severity: Severity, text: str) -> None:
    print(f"{severity}: {text}" if severity == "warning" else text, file=sys.stderr)


_sink: ContextVar[Sink] = ContextVar("_sink", default=_to_standard_error)


def info(text: str) -> None:
    """Say what is about to happen, or what happened."""
    _sink.get()("info", text)


def warn(text: str) -> None:
    """Say what the reader should do something about."""
    _sink.get()("warning", text)


@contextmanager
def sent_to(sink: Sink) -> Iterator[None]:
    """Send what is said inside the block to `sink`."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect what is said inside the block, warnings with `warning: ` before them."""
    said: list[str] = []
    with sent_to(lambda severity, text: said.append(f"warning: {text}" if severity == "warning" else text)):
        yield said
