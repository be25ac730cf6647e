"""The edge: whatever host a request names, the deployment behind it answers.

A host is looked up for every request, so a moved alias counts from the next request on, while those under way finish
where they began.
"""

import logging
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from localcloud.vercel.instances import Instance, Instances, StartError
from localcloud.vercel.models import PLATFORM_DOMAIN, ReadyState
from localcloud.vercel.protection import admitted
from localcloud.vercel.store import Store

log = logging.getLogger("localcloud.vercel.edge")

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_BROWSER_SUFFIX = ".localhost"
_KEEP_ALIVE_SECONDS = 30.0
_AUTOMATIC_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class EdgeError(Exception):
    """What the edge itself answers: status, Vercel's code, a text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Edge:
    """A streaming reverse proxy from hosts to deployments."""

    def __init__(self, *, store: Store, instances: Instances) -> None:
        self._store = store
        self._instances = instances
        self._client: aiohttp.ClientSession | None = None

    def application(self) -> web.Application:
        """The web application; it needs no token."""
        application = web.Application(client_max_size=0)
        application.router.add_route("*", "/{path:.*}", self._answer)
        application.cleanup_ctx.append(self._session)
        return application

    async def _session(self, _: web.Application) -> AsyncIterator[None]:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # aiohttp would send a GET again to a process that broke off; a visitor of Vercel gets the error.
        self._client._retry_connection = False  # noqa: SLF001 - there is no public switch
        yield
        await self._client.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        trace = f"dev1::{secrets.token_hex(3)}-{time.time_ns() // 1_000_000}-{secrets.token_hex(6)}"
        try:
            deployment_id = self._deployment_behind(request)
            instance = await self._instance(deployment_id)
            if file := _static_file(instance.public, request):
                return web.FileResponse(file, headers={"x-vercel-id": trace, "server": "Vercel"})
            try:
                return await self._forward(request, instance, trace)
            except aiohttp.ClientConnectorError:
                # The process died before it saw the request, and nothing of the body is read yet: a new one gets it.
                self._instances.drop(deployment_id, instance)
                return await self._forward(request, await self._instance(deployment_id), trace)
        except EdgeError as error:
            return web.Response(
                status=error.status,
                text=f"{error}\n\n{error.code}\n\n{trace}\n",
                headers={"x-vercel-error": error.code, "x-vercel-id": trace, "server": "Vercel"},
            )

    def _deployment_behind(self, request: web.Request) -> str:
        for host in _names(request.host):
            if alias := self._store.aliases.find(host=host):
                deployment_id, project_id = alias.deployment_id, alias.project_id
            elif found := self._store.deployments.column("id", host=host):
                deployment_id = found[0]
                project_id = self._store.deployments.column("project_id", host=host)[0]
            else:
                continue
            project = self._store.projects.find(id=project_id)
            if project is None or not admitted(request, project, host, self._store):
                raise EdgeError(401, "UNAUTHORIZED", "Authentication Required")
            return deployment_id
        raise EdgeError(404, "DEPLOYMENT_NOT_FOUND", "The deployment could not be found on Vercel.")

    async def _instance(self, deployment_id: str) -> Instance:
        if instance := self._instances.running(deployment_id):
            return instance
        deployment = self._store.deployments.find(id=deployment_id)
        if deployment is None or deployment.state is not ReadyState.READY:
            raise EdgeError(404, "DEPLOYMENT_NOT_FOUND", "The deployment is not ready.")
        try:
            return await self._instances.start(deployment)
        except StartError as error:
            log.warning("%s", error)
            raise EdgeError(500, "FUNCTION_INVOCATION_FAILED", "A server error has occurred") from error

    async def _forward(self, request: web.Request, instance: Instance, trace: str) -> web.StreamResponse:
        assert self._client is not None, "the edge runs"
        response: web.StreamResponse | None = None
        with instance.request():
            try:
                async with self._client.request(
                    request.method,
                    URL(f"http://127.0.0.1:{instance.port}{request.raw_path}", encoded=True),
                    headers=_request_headers(request, trace),
                    data=request.content if request.can_read_body else None,
                    allow_redirects=False,
                    skip_auto_headers=_AUTOMATIC_HEADERS,
                ) as answer:
                    response = web.StreamResponse(
                        status=answer.status, reason=answer.reason, headers=_without_hops(answer.headers)
                    )
                    response.headers.update({"x-vercel-id": trace, "x-vercel-cache": "MISS", "server": "Vercel"})
                    await response.prepare(request)
                    async for chunk in answer.content.iter_any():
                        await response.write(chunk)
                    await response.write_eof()
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientError, ConnectionResetError) as error:
                if response is None or not response.prepared:
                    log.warning("a deployment broke off before it answered: %s", type(error).__name__)
                    raise EdgeError(502, "NO_RESPONSE_FROM_FUNCTION", "The deployment did not answer.") from error
                # Half an answer is out: only a broken connection says so.
                if request.transport:
                    request.transport.abort()
        return response


def _names(host: str) -> list[str]:
    """The names that a Host header may stand for; browsers resolve `*.localhost`, so that stands for the real one."""
    name = host.rsplit(":", 1)[0].lower().rstrip(".")
    if not name.endswith(_BROWSER_SUFFIX):
        return [name]
    stem = name.removesuffix(_BROWSER_SUFFIX)
    return [f"{stem}.{PLATFORM_DOMAIN}", stem]


def _without_hops(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    named = {name.strip().lower() for name in kept.get("connection", "").split(",")}
    for name in _HOP_BY_HOP | named:
        kept.popall(name, None)
    return kept


def _request_headers(request: web.Request, trace: str) -> CIMultiDict[str]:
    headers = _without_hops(request.headers)
    headers.popall("expect", None)
    client = request.remote or "127.0.0.1"
    headers.update(
        {
            "x-forwarded-for": client,
            "x-real-ip": client,
            "x-forwarded-host": request.host,
            "x-forwarded-proto": "http",
            "x-vercel-id": trace,
        }
    )
    return headers


def _static_file(public: Path | None, request: web.Request) -> Path | None:
    if public is None or request.method not in ("GET", "HEAD"):
        return None
    path = (public / unquote(request.rel_url.raw_path).lstrip("/")).resolve()
    if not path.is_relative_to(public.resolve()):
        return None
    candidates = (path, path / "index.html")
    return next((candidate for candidate in candidates if candidate.is_file()), None)
