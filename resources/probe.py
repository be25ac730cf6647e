"""Asking a deployment for its health as a visitor would, with patience for a cold start."""

from __future__ import annotations

import time
from dataclasses import dataclass

from resources.vercel_api import visit

_PATIENCE = 30.0
_PAUSE = 0.25


class UnhealthyError(Exception):
    """A deployment did not answer as it should."""


@dataclass(frozen=True)
class Health:
    """The path to ask for, and the HTTP status that means healthy."""

    path: str
    status: int


def probe(host: str, health: Health) -> None:
    """Return once `host` answers with the expected status; raise UnhealthyError if it hasn't after 30 s.

    What the deployment answers is not repeated: it could hold anything.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        status, reason = visit(host, health.path)
        if status == health.status:
            return
        if time.monotonic() > deadline:
            answer = f"status {status}" if status else f"nothing ({reason})"
            raise UnhealthyError(f"https://{host}{health.path} answers {answer}, expected status {health.status}")
        time.sleep(_PAUSE)
