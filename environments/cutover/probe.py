"""Asking a deployment for its health as a visitor would, with patience for a cold start.

A healthy answer alone doesn't say which database it came from: an app that reads another variable than DATABASE_URL is
as healthy on the branch that is left. So the app's login has to be seen at work on the branch that comes.
"""

from __future__ import annotations

import time

from environments.clients.deadline import pause
from environments.clients.vercel import BYPASS_SECRET, Answer, visit
from environments.cutover.pointer import HealthCheck
from environments.database.session_watch import SessionWatch
from environments.errors import FailedError
from environments.ids import BranchId

_PATIENCE = 30.0
_PATIENCE_UNSEEN = 10.0
"""For a session of an app that is healthy: seconds in which it is asked again and again."""
_LOOK = 0.25
"""Seconds in which a session is looked for after an answer; most were seen before that came."""
_PAUSE = 0.25
_UNAUTHORIZED = 401


class UnhealthyError(FailedError):
    """A deployment did not answer as it should."""


class UnprovenError(UnhealthyError):
    """A deployment is healthy, and nothing shows that it uses the database that it was given."""


def probe_proven(host: str, health: HealthCheck, branch: BranchId, watch: SessionWatch, *, called: str) -> None:
    """Return once `host` is healthy, as for `probe`, and its login was at work on `branch`, which is `called` so.

    Raises UnprovenError for an app that is healthy for some seconds without that.
    """
    probe(host, health, branch)
    deadline = time.monotonic() + _PATIENCE_UNSEEN
    while not watch.saw(_LOOK):
        if time.monotonic() > deadline:
            raise UnprovenError(
                f"https://{host}{health.path} answers status {health.status}, and no session of {watch.role} was seen "
                f"on {called} meanwhile: the app uses another database, where its visitors' rows would go, or its "
                "health check asks none. Let the app connect with DATABASE_URL or DATABASE_URL_UNPOOLED and no other "
                "variable, and let its health check query the database each time. If the health check is to ask no "
                "database: pulumi config set --path app.health.database false, and it stays unproven"
            )
        probe(host, health, branch)


def probe(host: str, health: HealthCheck, branch: BranchId, patience: float = _PATIENCE) -> None:
    """Return once `host` answers with the expected status, from `branch` if the answer names one.

    An answer names its branch by a JSON object with the key `branch`, as the example app's does; it would else be
    possible to promote a deployment that is healthy on another database. What a deployment answers is not repeated: it
    could hold anything. Raises UnhealthyError after `patience` seconds, and at once where Vercel's protection answers;
    OutOfTimeError where a time limit is used up before.
    """
    deadline = time.monotonic() + patience
    while True:
        answer = visit(host, health.path)
        if answer.status == health.status and answer.branch in (None, branch):
            return
        protected = answer.status == _UNAUTHORIZED and health.status != _UNAUTHORIZED
        if protected or time.monotonic() > deadline:
            found = _described(answer, health, branch, protected=protected)
            raise UnhealthyError(f"https://{host}{health.path} {found}")
        pause(_PAUSE, f"https://{host}{health.path} {_described(answer, health, branch, protected=False)}")


def _described(answer: Answer, health: HealthCheck, branch: BranchId, *, protected: bool) -> str:
    if protected:
        return (
            "answers status 401, Vercel's deployment protection: make a Protection Bypass for Automation in the "
            f"project's settings and export its secret as {BYPASS_SECRET}"
        )
    if answer.status == health.status:
        return f"answers from another branch than {branch}: it uses another database"
    if answer.status:
        return f"answers status {answer.status}, expected status {health.status}"
    return f"answers nothing ({answer.failure})"
