"""One way to ask a JSON API: bounded retries where a repeat is safe, and errors that carry no secret.

Every request has a total time, which is shorter where a time limit holds (see deadline.py), and every answer a size.

ApiError            the API said no: status, code and its message
  └─ NotFoundError  the thing asked for isn't there
ApiUnreachableError no answer at all
"""

from __future__ import annotations

import functools
import json as json_text
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from environments.clients.deadline import at_most, call_within, out_of_time, pause, seconds_left
from environments.clients.lazy_imports import httpx
from environments.errors import EnvironmentsError

_TIMEOUT = 30.0
_UPLOAD_TIMEOUT = 600.0
"""Seconds for one file on its way up; each part of it has the shorter time."""
_LARGEST_ANSWER = 32 * 2**20
_CONNECT_TIMEOUT = 5.0
_TRIES = 6
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_LOCKED = 423
_LOCK_PATIENCE = 120.0
"""Seconds: Neon works on one change of a project at a time, and others may wait in front (the provider's limit)."""
_REFUSED_UNDONE = frozenset({_LOCKED, 429, 503})
"""Answers that say that nothing was done, so that even a POST may be sent again."""
_SECRET_KEYS = frozenset({"env", "value", "password"})
_SHORTEST_SECRET = 4
"""Characters: what is shorter would be masked in every text."""
_PASSWORD = re.compile(r"(://[^:/@\s]+:)[^@/\s]+@")


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


class AnswerTooLargeError(ApiError):
    """The API's answer is larger than any that it should give."""


@dataclass(frozen=True)
class Reply:
    """What was answered to one request, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None if it isn't JSON, or is nested too deeply to be read."""
        try:
            return json_text.loads(self.body)
        except (ValueError, RecursionError):
            return None


class TooLargeError(Exception):
    """An answer is larger than it may be."""


def ask(
    client: httpx.Client, request: httpx.Request, *, seconds: float, largest: int, doing: str, decoded: bool = True
) -> Reply:
    """Send a request and read its answer, in `seconds` altogether; the whole of it never lies in memory before.

    Without `decoded` a compressed body stays as it came: its size is then the size that it has in memory. Raises
    TooLargeError above `largest` bytes, httpx.ReadTimeout or another TransportError, and OutOfTimeError with `doing`
    where a time limit is used up.
    """
    left = at_most(seconds, doing)
    ended = time.monotonic() + left

    def answered() -> Reply:
        answer = client.send(request, stream=True)
        try:
            body = _read(answer.iter_bytes() if decoded else answer.iter_raw(), largest, ended)
            return Reply(answer.status_code, answer.headers, body)
        finally:
            answer.close()

    try:
        return call_within(left, answered)
    except (TimeoutError, httpx.TimeoutException) as error:
        if seconds_left() == 0:
            raise out_of_time(doing) from None
        if isinstance(error, httpx.TimeoutException):
            raise
        raise httpx.ReadTimeout("the answer did not end in time", request=request) from None


def _read(chunks: Iterator[bytes], largest: int, ends: float) -> bytes:
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > largest:
            raise TooLargeError
        if time.monotonic() > ends:
            raise TimeoutError
        parts.append(chunk)
    return b"".join(parts)


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
        connection is repeated for GET only. Raises ApiError, NotFoundError or ApiUnreachableError, and OutOfTimeError
        where a time limit is used up.
        """
        request, doing = f"{method} {path}", f"{self._service} did not answer {method} {path} in time"
        wait, left, deadline = _FIRST_PAUSE, _TRIES, time.monotonic() + _LOCK_PATIENCE
        while True:
            left -= 1
            made = self._http.build_request(method, path, params=query, json=json, content=content, headers=headers)
            seconds = _TIMEOUT if content is None else _UPLOAD_TIMEOUT
            made.extensions = {"timeout": _timeouts(at_most(_TIMEOUT, doing))}
            longer = 0.0
            try:
                reply = ask(self._http, made, seconds=seconds, largest=_LARGEST_ANSWER, doing=doing)
            except TooLargeError:
                message = f"the answer is larger than {_LARGEST_ANSWER // 2**20} MiB"
                raise AnswerTooLargeError(self._service, request, httpx.codes.OK, "", message) from None
            except httpx.RequestError as error:
                if left <= 0 or not (method == "GET" or isinstance(error, httpx.ConnectError)):
                    message = f"{self._service} could not be reached for {request}: {type(error).__name__}"
                    raise ApiUnreachableError(message) from None
            else:
                again = left > 0 or (reply.status == _LOCKED and time.monotonic() < deadline)
                if reply.status not in _REFUSED_UNDONE or not again:
                    return self._decoded(request, reply, json)
                longer = _retry_after(reply) or 0.0
            pause(longer or wait, doing)
            wait = min(2 * wait, _LONGEST_PAUSE)

    def _decoded(self, request: str, reply: Reply, sent: Any) -> Any:
        body = reply.json if reply.body else {}
        if httpx.codes.is_success(reply.status):
            if body is None:
                raise ApiError(self._service, request, reply.status, "", "the answer is not JSON")
            return body
        found = body.get("error", body) if isinstance(body, dict) else {}
        found = found if isinstance(found, dict) else {"message": found}
        code, message = str(found.get("code", "")), str(found.get("message", "no message"))
        message = masked(message, list(_secrets_sent(sent)))
        kind = NotFoundError if reply.status == httpx.codes.NOT_FOUND else ApiError
        raise kind(self._service, request, reply.status, code, message)


def masked(text: str, secrets: Sequence[str]) -> str:
    """Return `text` without `secrets` and, where one is a URL, without its password; nor with that of any other URL."""
    passwords = [password for each in secrets if (password := _password_of(each))]
    for secret in sorted({*secrets, *passwords, *map(unquote, passwords)}, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[secret]")
    return _PASSWORD.sub(r"\1[secret]@", text)


def _password_of(text: str) -> str:
    try:
        return urlsplit(text).password or ""
    except ValueError:
        return ""


def _secrets_sent(sent: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield what a request holds that no message may repeat: values of variables, and passwords."""
    if isinstance(sent, Mapping):
        for key, each in sent.items():
            yield from _secrets_sent(each, secret=secret or key in _SECRET_KEYS)
    elif isinstance(sent, list | tuple):
        for each in sent:
            yield from _secrets_sent(each, secret=secret)
    elif isinstance(sent, str) and secret:
        yield sent


def _timeouts(seconds: float) -> dict[str, float]:
    return {"connect": min(_CONNECT_TIMEOUT, seconds), "read": seconds, "write": seconds, "pool": seconds}


def _retry_after(reply: Reply) -> float | None:
    try:
        return min(max(0.0, float(reply.headers["retry-after"])), _LONGEST_PAUSE)
    except (KeyError, ValueError):
        return None
