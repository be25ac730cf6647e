"""Asking a deployment for its health as a visitor would, with patience for a cold start."""

from __future__ import annotations

import time
from dataclasses import dataclass

from environments.clients.vercel import BYPASS_SECRET, Answer, visit

_PATIENCE = 30.0
_PAUSE = 0.25
_UNAUTHORIZED = 401


class UnhealthyError(Exception):
    """A deployment did not answer as it should."""


@dataclass(frozen=True)
class Health:
    """The path to ask for, the HTTP status that means healthy, and the id of the branch that must answer."""

    path: str
    status: int
    branch: str


def probe(host: str, health: Health, patience: float = _PATIENCE) -> None:
    """Return once `host` answers with the expected status, from the expected branch if the answer names one.

    An answer names its branch by a JSON object with the key `branch`, as the example app's does; it would else be
    possible to promote a deployment that is healthy on another database. Raises UnhealthyError after `patience`
    seconds, and at once where Vercel's protection answers. What a deployment answers is not repeated: it could hold
    anything.
    """
    deadline = time.monotonic() + patience
    while True:
        answer = visit(host, health.path)
        if answer.status == health.status and answer.branch in (None, health.branch):
            return
        protected = answer.status == _UNAUTHORIZED and health.status != _UNAUTHORIZED
        if protected or time.monotonic() > deadline:
            raise UnhealthyError(f"https://{host}{health.path} {_told(answer, health, protected=protected)}")
        time.sleep(_PAUSE)


def _told(answer: Answer, health: Health, *, protected: bool) -> str:
    if protected:
        return (
            "answers status 401, Vercel's deployment protection: make a Protection Bypass for Automation in the "
            f"project's settings and export its secret as {BYPASS_SECRET}"
        )
    if answer.status == health.status:
        return f"answers from branch {answer.branch}, not from {health.branch}: it uses another database"
    if answer.status:
        return f"answers status {answer.status}, expected status {health.status}"
    return f"answers nothing ({answer.failure})"
