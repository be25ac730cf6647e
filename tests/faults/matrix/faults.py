"""The kinds of fault that one HTTP request can meet."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.matrix.wire import SILENCE_SECONDS, Asked, Conduct, Exchange, Reply

LATE_SECONDS = 2.0
"""After how many seconds a request has its effect that was given up at once."""
_BUSY = {
    "code": "",
    "message": "project already has running conflicting operations, scheduling of new ones is prohibited",
}


@dataclass(frozen=True)
class Fault:
    """A kind of fault, and the requests that it concerns."""

    name: str
    conduct: Conduct
    concerns: Callable[[Asked], bool]


def _error(status: int, **headers: str) -> Conduct:
    body = {"message": "made to fail", "code": "made_up", "error": {"message": "made to fail", "code": "made_up"}}

    def conduct(exchange: Exchange) -> None:
        exchange.answer(Reply.of(status, body, **headers))

    return conduct


def _after(then: Conduct) -> Conduct:
    def conduct(exchange: Exchange) -> None:
        exchange.forward()
        then(exchange)

    return conduct


def _drop(exchange: Exchange) -> None:
    exchange.drop()


def _no_reply(exchange: Exchange) -> None:
    exchange.hold(SILENCE_SECONDS)


def _garbage(exchange: Exchange) -> None:
    exchange.answer(Reply(200, (("Content-Type", "text/html"),), b"<html>504 Gateway Time-out \xff\xfe"))


def _failed_operation(exchange: Exchange) -> None:
    """Let the request be accepted, and the first operation that it begins fail a little later."""
    reply = exchange.forward()
    body = json.loads(reply.body)
    for operation in body.get("operations", [])[:1]:
        exchange.wire.failed_operations.add(operation["id"])
        operation["status"] = "running"
    exchange.answer(Reply(reply.status, reply.headers, json.dumps(body).encode()))


def _late(exchange: Exchange) -> None:
    exchange.drop()
    timer = threading.Timer(LATE_SECONDS, lambda: _suppressed(exchange))
    timer.daemon = True
    timer.start()


def _suppressed(exchange: Exchange) -> None:
    try:
        exchange.forward()
    except OSError:
        return


def _any(_: Asked) -> bool:
    return True


def _of_neon(asked: Asked) -> bool:
    return asked.service == "neon"


def _of_an_api(asked: Asked) -> bool:
    return asked.service != "edge"


def _writes(asked: Asked) -> bool:
    """Only what has an effect can fail after it: for a read, before and after are one."""
    return not asked.reads


def _begins_operations(asked: Asked) -> bool:
    return asked.service == "neon" and not asked.reads


def _locked(exchange: Exchange) -> None:
    exchange.answer(Reply.of(423, _BUSY))


FAULTS = (
    Fault("423", _locked, _of_neon),
    Fault("429", _error(429, Retry_After="1"), _of_an_api),
    Fault("500 before", _error(500), _any),
    Fault("500 after", _after(_error(500)), _writes),
    Fault("503", _error(503), _any),
    Fault("dropped before", _drop, _any),
    Fault("dropped after", _after(_drop), _writes),
    Fault("no reply", _no_reply, _any),
    Fault("garbage", _after(_garbage), _any),
    Fault("failed operation", _failed_operation, _begins_operations),
    Fault("late effect", _late, _writes),
)
