"""Finds the function for a request and turns what it returns, or raises, into Vercel's JSON.

A route is a method and a path without its version: `/v9/projects` and `/v10/projects` are one, and so is `/v12/now/…`.
The functions return values; only this module knows how an answer is written.
"""

import hmac
import json
import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiohttp import web

from localcloud.vercel.errors import ApiError, BadRequestError, ForbiddenError, UnsupportedError

log = logging.getLogger("localcloud.vercel.api")

Services = TypeVar("Services")

_VERSION = re.compile(r"/v(\d+)(?:/now)?(?=/)")


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Services]):
    """One request, as the functions see it."""

    services: Services
    path: dict[str, str]
    query: dict[str, str]
    version: int
    request: web.Request = field(repr=False)
    json: Any = field(repr=False)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object of the body; BadRequestError where it is something else."""
        if not isinstance(self.json, dict):
            message = "the body must be a JSON object"
            raise BadRequestError(message)
        return self.json

    def number(self, name: str, otherwise: int) -> int:
        """A query parameter that is a number."""
        text = self.query.get(name, str(otherwise))
        try:
            return int(text)
        except ValueError:
            message = f"{name} is {text!r}: it must be a number"
            raise BadRequestError(message) from None

    def flag(self, name: str) -> bool:
        """A query parameter that is on or off."""
        return self.query.get(name, "").lower() in ("1", "true")


@dataclass(frozen=True)
class Reply:
    """An answer that isn't 200 with JSON."""

    status: int
    value: Any = None


Endpoint = Callable[[Call[Services]], Awaitable[Any]]


@dataclass(frozen=True)
class _Route(Generic[Services]):
    method: str
    pattern: re.Pattern[str]
    endpoint: Endpoint[Services]
    raw: bool


class Routes(Generic[Services]):
    """A table of endpoints, possibly put together from others; the first that matches answers."""

    def __init__(self, *tables: "Routes[Services]") -> None:
        self.entries: list[_Route[Services]] = [route for table in tables for route in table.entries]

    def add(self, method: str, path: str, *, raw: bool = False) -> Callable[[Endpoint[Services]], Endpoint[Services]]:
        """Register an endpoint; `{name}` in the path matches one segment. A raw one reads the body itself."""
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

        def register(endpoint: Endpoint[Services]) -> Endpoint[Services]:
            self.entries.append(_Route(method, pattern, endpoint, raw))
            return endpoint

        return register

    def application(self, services: Services, *, token: str) -> web.Application:
        """A web application that answers them to whoever has the token."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                _require(request, token)
                result = await self._call(services, request)
            except ApiError as error:
                return _json(error.status, error.body())
            except Exception as error:  # noqa: BLE001
                # Without the exception's text, which may quote a value of the request.
                log.error("%s %s failed: %s\n%s", request.method, request.path, type(error).__name__, _places(error))  # noqa: TRY400
                return _json(500, ApiError("the local cloud failed, see its log").body())
            if isinstance(result, web.StreamResponse):
                return result
            return _json(result.status, result.value) if isinstance(result, Reply) else _json(200, result)

        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", answer)
        return application

    async def _call(self, services: Services, request: web.Request) -> Any:
        version = _VERSION.match(request.path)
        path = request.path[version.end() :] if version else request.path
        for route in self.entries:
            if route.method == request.method and (match := route.pattern.fullmatch(path.rstrip("/"))):
                call = Call(
                    services=services,
                    path=match.groupdict(),
                    query=dict(request.query),
                    version=int(version[1]) if version else 0,
                    request=request,
                    json={} if route.raw else await _read_json(request),
                )
                return await route.endpoint(call)
        log.error("NOT IMPLEMENTED: %s %s", request.method, request.path)
        message = f"the local cloud does not know {request.method} {request.path}"
        raise UnsupportedError(message)


def _require(request: web.Request, token: str) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        message = "The request is missing an authentication token"
        raise ForbiddenError(message, missingToken=True)
    if not hmac.compare_digest(given.strip().encode(), token.encode()):
        message = "Not authorized"
        raise ForbiddenError(message, invalidToken=True)


async def _read_json(request: web.Request) -> Any:
    text = await request.text()
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except ValueError:
        message = "Invalid JSON"
        raise BadRequestError(message) from None


def _places(error: Exception) -> str:
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()


def _json(status: int, value: Any) -> web.Response:
    if value is None:
        return web.Response(status=status)
    return web.json_response(value, status=status)
