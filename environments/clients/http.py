"""One way to ask a JSON API: bounded retries where a repeat is safe, and errors that carry no secret.

ApiError            the API said no: status, code and its message
  └─ NotFoundError  the thing asked for isn't there
ApiUnreachableError no answer at all
"""

from __future__ import annotations

import functools
import ssl
import time
from typing import Any, Self

from environments.clients.lazy_imports import httpx
from environments.errors import EnvironmentsError

_TIMEOUT = 30.0
_CONNECT_TIMEOUT = 5.0
_TRIES = 6
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_LOCKED = 423
_LOCK_PATIENCE = 120.0
"""Seconds: Neon works on one change of a project at a time, and others may wait in front (the provider's limit)."""
_REFUSED_UNDONE = frozenset({_LOCKED, 429, 503})
"""Answers that say that nothing was done, so that even a POST may be sent again."""


class ApiError(EnvironmentsError):
    """The API answered with an error."""

    def __init__(self, service: str, request: str, status: int, code: str, message: str) -> None:
        """Name the service, the request without its query, and what was answered."""
        super().__init__(f"{service} answered {status} {code} to {request}: {message}".replace("  ", " "))
        self.status, self.code, self.message = status, code, message


class NotFoundError(ApiError):
    """What was asked for isn't there."""


class ApiUnreachableError(EnvironmentsError):
    """The API gave no answer."""


@functools.cache
def trust() -> ssl.SSLContext:
    """Return the certificates that are trusted; reading them takes longer than a request, so that is done once."""
    return ssl.create_default_context()


class JsonApi:
    """A JSON API behind a bearer token. `service` is its name in errors."""

    def __init__(self, service: str, base_url: str, token: str, params: dict[str, str] | None = None) -> None:
        """Open a connection pool; nothing is sent yet."""
        self._service = service
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT),
            params=params,
            verify=trust(),
        )

    def __enter__(self) -> Self:
        """Use the pool for one block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the pool."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send one request and return the decoded answer.

        A request is repeated where the answer says that nothing was done: for up to about 10 s after 429 and 503, for
        120 s after 423, which is what Neon answers while it works on another change of the same project. A lost
        connection is repeated for GET only. Raises ApiError, NotFoundError or ApiUnreachableError.
        """
        request = f"{method} {path}"
        pause, left, deadline = _FIRST_PAUSE, _TRIES, time.monotonic() + _LOCK_PATIENCE
        while True:
            left -= 1
            try:
                answer = self._http.request(method, path, params=query, json=json, content=content, headers=headers)
            except httpx.TransportError as error:
                if left <= 0 or not (method == "GET" or isinstance(error, httpx.ConnectError)):
                    message = f"{self._service} could not be reached for {request}: {type(error).__name__}"
                    raise ApiUnreachableError(message) from None
                wait = pause
            else:
                again = left > 0 or (answer.status_code == _LOCKED and time.monotonic() < deadline)
                if answer.status_code not in _REFUSED_UNDONE or not again:
                    return self._decoded(request, answer)
                wait = _retry_after(answer) or pause
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _decoded(self, request: str, answer: httpx.Response) -> Any:
        try:
            body = answer.json() if answer.content else {}
        except ValueError:
            body = {}
        if answer.is_success:
            return body
        told = body.get("error", body) if isinstance(body, dict) else {}
        code, message = str(told.get("code", "")), str(told.get("message", "no message"))
        kind = NotFoundError if answer.status_code == httpx.codes.NOT_FOUND else ApiError
        raise kind(self._service, request, answer.status_code, code, message)


def _retry_after(answer: httpx.Response) -> float | None:
    try:
        return min(float(answer.headers["retry-after"]), _LONGEST_PAUSE)
    except (KeyError, ValueError):
        return None
