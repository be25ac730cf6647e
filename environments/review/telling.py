"""Saying an entry of the review: to whoever reads the terminal, and to the file that ENVIRONMENTS_REVIEW names."""

from __future__ import annotations

import os

from environments import log
from environments.ids import StackName
from environments.review import model
from environments.review.file import line_of
from environments.review.model import Entry, Refusal, Start
from environments.review.terminal import render

VARIABLE = "ENVIRONMENTS_REVIEW"


def tell(entry: Entry) -> None:
    """Say an entry, and record it.

    The engine shows a refusal itself. The plugin's server records every warning: it knows which resource that is about.
    """
    match entry:
        case model.Warning():
            log.warn(render(entry))
        case Refusal():
            record(entry)
        case _:
            log.info(render(entry))
            record(entry)


def begin(stack: StackName) -> None:
    """Record that the program of `stack` begins to run: a file then holds a review, even of a run that says nothing."""
    record(Start(stack=stack))


def record(entry: Entry | Start) -> None:
    """Append an entry to the file that ENVIRONMENTS_REVIEW names, as one line; without that variable do nothing.

    Several processes may write to that file: a line is written at once, so that none is torn apart.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line_of(entry).encode())
    finally:
        os.close(file)
