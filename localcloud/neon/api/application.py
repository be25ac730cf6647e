"""The adapter between the web server and the routes: authentication, JSON, Neon's error body, and a loud 501."""

from __future__ import annotations

import hmac
import json
import logging
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from localcloud.neon.api import (
    account,
    branches,
    connection,
    databases,
    endpoints,
    new_branches,
    operations,
    projects,
    restore,
    roles,
    schema,
)
from localcloud.neon.api.routing import Answer, Request, Route
from localcloud.neon.compute import ComputeError
from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import ApiError, NotModelledError

log = logging.getLogger("localcloud.neon")

_PREFIX = "/api/v2"
_ROUTES = (
    *account.ROUTES,
    *projects.ROUTES,
    *operations.ROUTES,
    *connection.ROUTES,
    *branches.ROUTES,
    *new_branches.ROUTES,
    *restore.ROUTES,
    *schema.ROUTES,
    *endpoints.ROUTES,
    *roles.ROUTES,
    *databases.ROUTES,
)


def application(control: ControlPlane, api_key: str) -> web.Application:
    """The API as an aiohttp application."""
    app = web.Application(middlewares=[_authenticating(api_key)])
    for method, path, route in _ROUTES:
        app.router.add_route(method, _PREFIX + path, _adapted(control, route))
    app.router.add_route("*", "/{tail:.*}", _not_modelled)
    return app


def _adapted(control: ControlPlane, route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            text = await request.text()
            try:
                body = json.loads(text) if text.strip() else None
            except ValueError:
                raise ApiError("the body is no JSON") from None
            answer = await route(control, Request(request.match_info, request.query, body))
        except ApiError as error:
            return _refusal(error.status, error.message)
        except ComputeError as error:
            log.error("%s %s: %s", request.method, request.path, error)  # noqa: TRY400 - no trace, it says all
            return _refusal(500, str(error))
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return _refusal(500, "internal error")
        return _response(answer)

    return handle


def _authenticating(api_key: str) -> Middleware:
    expected = f"Bearer {api_key}".encode()

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            return _refusal(401, "supplied credentials do not pass authentication")
        return await handler(request)

    return authenticate


async def _not_modelled(request: web.Request) -> web.StreamResponse:
    log.error("NOT MODELLED: %s %s", request.method, request.path)
    return _refusal(NotModelledError.status, f"{request.method} {request.path} is not modelled by the local cloud")


def _response(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status)
    return web.json_response(answer.body, status=answer.status)


def _refusal(status: int, message: str) -> web.Response:
    code = "" if status < 500 else "INTERNAL"
    return web.json_response({"request_id": str(uuid4()), "code": code, "message": message}, status=status)
