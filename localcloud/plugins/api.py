"""HTTP as the original providers speak it: their retries, their polling, their errors."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from localcloud.plugins.table import Json

_RUNNING = ("running", "scheduling")
_POLL_SECONDS = 0.1
_TIMEOUT_SECONDS = 120.0

T = TypeVar("T")


class ApiError(Exception):
    """An answer that is no success; status 0 when there was none."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class RetryPolicy:
    """Which statuses are tried again, at a fixed pause in seconds; `whole` repeats the operation, not the request."""

    statuses: tuple[int, ...]
    pause: float
    attempts: int
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Api:
    """One provider's way to its service."""

    url: str
    token: str
    missing_token: str
    retry: RetryPolicy
    gone: tuple[int, ...]  # what a delete takes for success
    operations: bool = False  # answers may list operations to wait for
    query: Mapping[str, str] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def with_cancellation(self, cancelled: threading.Event) -> "Api":
        return replace(self, cancelled=cancelled)

    def attempt(self, operation: Callable[[], T]) -> T:
        """Runs a create, update or delete, again from its start where the policy says so."""
        return self._again(operation) if self.retry.whole else operation()

    def call(self, method: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None) -> Json:
        def once() -> Json:
            return self._send(method, path, body, {**self.query, **(query or {})})

        answer = once() if self.retry.whole else self._again(once)
        if self.operations:
            self._settle(answer)
        return answer

    def _again(self, operation: Callable[[], T]) -> T:
        for _ in range(self.retry.attempts):
            try:
                return operation()
            except ApiError as error:
                if error.status not in self.retry.statuses or self.cancelled.wait(self.retry.pause):
                    raise
        return operation()

    def _settle(self, answer: Json) -> None:
        """Waits until no operation is under way. One that failed counts as done; one that hangs is awaited for ever."""
        for begun in answer.get("operations") or []:
            operation = begun
            path = f"/projects/{begun['project_id']}/operations/{begun['id']}"
            while operation.get("status") in _RUNNING:
                if self.cancelled.wait(_POLL_SECONDS):
                    raise ApiError(0, f"cancelled while operation {operation['id']} was {operation['status']}")
                try:
                    operation = self._send("GET", path, None, self.query)["operation"]
                except ApiError:
                    continue

    def _send(self, method: str, path: str, body: Json | None, query: Mapping[str, str]) -> Json:
        import http.client  # noqa: PLC0415  a preview without changes never needs it

        if not self.token:
            raise ApiError(0, self.missing_token)
        where = urlsplit(self.url)
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        target = where.path.rstrip("/") + path
        if query:
            target += ("&" if "?" in target else "?") + urlencode(query)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = kind(where.netloc, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            content, status = response.read(), response.status
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(0, f"{method} {path}: no answer from {where.netloc}: {error}") from error
        finally:
            connection.close()
        answer = _decode(content)
        if status >= 300:
            raise ApiError(status, f"{method} {path}: {status} {_reason(answer, response.reason)}")
        return answer if isinstance(answer, dict) else {}


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content) if content else {}
    except ValueError:
        return {}


def _reason(answer: Any, otherwise: str) -> str:
    """The message and code of an error, and nothing else of its body."""
    found = answer.get("error", answer) if isinstance(answer, dict) else {}
    if not isinstance(found, dict):
        return str(found)
    message, code = found.get("message") or otherwise, found.get("code")
    return f"{message} ({code})" if code else str(message)
