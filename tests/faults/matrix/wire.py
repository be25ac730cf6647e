"""What stands between the program and the local cloud: it notes each request, and lets one of them meet a fault.

A request is known by its service, its method, the shape of its path (ids taken out) and how many of that shape came
before it: that is the same from run to run, though the engine does several things at once.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from localcloud.cloud import Cloud

LOOPBACK = "127.0.0.1"
UPSTREAM_SECONDS = 300.0
SILENCE_SECONDS = 40.0
"""For how long a request stays without an answer: longer than our own client waits (30 s)."""
_ID = re.compile(
    r"(br|ep|prj|dpl|op|team|blob|file)[-_].+"
    r"|[a-z]+-[a-z]+-\d{6,}"
    r"|[0-9a-f]{8}-[0-9a-f-]{20,}"
    r"|(?=.*\d)[0-9A-Za-z]{16,}"
)
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, order=True)
class Asked:
    """One request of an update, as the next run of the same update makes it again."""

    service: str
    method: str
    shape: str
    nth: int

    def __str__(self) -> str:
        number = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.service} {self.method} {self.shape}{number}"

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method in READS


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, status: int, body: object, **headers: str) -> Reply:
        named = tuple((key.replace("_", "-"), value) for key, value in headers.items())
        return cls(status, (("Content-Type", "application/json"), *named), json.dumps(body).encode())


@dataclass
class Exchange:
    """One request, and what may be done with it."""

    wire: Wire
    asked: Asked
    path: str
    """With its query, as it was sent."""
    forward: Callable[[], Reply]
    answer: Callable[[Reply], None]
    drop: Callable[[], None]
    hold: Callable[[float], None]


Conduct = Callable[[Exchange], None]
Chosen = Callable[[Asked], Conduct | None]


def carry_out(exchange: Exchange) -> None:
    """Do with a request what it asks for."""
    exchange.answer(exchange.wire.told(exchange.forward()))


@dataclass
class Wire:
    """Three addresses in front of Neon, Vercel and the edge. `chosen` says what becomes of a request, None as asked."""

    cloud: Cloud
    chosen: Chosen
    requests: list[Asked] = field(default_factory=list)
    struck: int = 0
    """How many requests met a fault."""
    failed_operations: set[str] = field(default_factory=set)
    env: dict[str, str] = field(default_factory=dict)
    """What a command needs to go through this wire."""
    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def strung(self) -> Iterator[Wire]:
        """Listen until the block ends."""
        upstreams = {
            "neon": ("NEON_API_HOST", self.cloud.neon_api_host),
            "vercel": ("VERCEL_API_URL", self.cloud.vercel_api_url),
            "edge": ("VERCEL_EDGE_URL", self.cloud.vercel_edge_url),
        }
        servers = []
        for service, (variable, url) in upstreams.items():
            server = _Server((LOOPBACK, 0), _handler(self, service, urlsplit(url).port or 0))
            servers.append(server)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            self.env[variable] = f"http://{LOOPBACK}:{server.server_port}{urlsplit(url).path}"
        try:
            yield self
        finally:
            for server in servers:
                server.shutdown()
                server.server_close()

    def note(self, service: str, method: str, path: str, host: str) -> tuple[Asked, Conduct]:
        """Return which request this is, and what becomes of it."""
        shape = shape_of(path)
        if service == "edge":
            shape = f"{'staged' if re.search(r'-[0-9a-z]{6,}[.]', host) else 'domain'}{shape}"
        with self._lock:
            self._counts[service, method, shape] += 1
            asked = Asked(service, method, shape, self._counts[service, method, shape])
            self.requests.append(asked)
            conduct = self.chosen(asked)
            self.struck += conduct is not None
        return asked, conduct or carry_out

    def told(self, reply: Reply) -> Reply:
        """Return an answer of Neon's in which the operations that are to fail have failed."""
        if not self.failed_operations or b'"operation' not in reply.body:
            return reply
        body = json.loads(reply.body)
        listed = body.get("operations", [])
        for operation in [*listed, body["operation"]] if "operation" in body else listed:
            if operation["id"] in self.failed_operations:
                operation["status"] = "failed"
        return Reply(reply.status, reply.headers, json.dumps(body).encode())


def shape_of(path: str) -> str:
    """Return a path without its query, its version and what differs from run to run."""
    parts = path.partition("?")[0].split("/")
    return "/".join("*" if _ID.fullmatch(part) else part for part in parts).removeprefix("/api/v2")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Keep quiet: a connection that breaks is what this is for."""


def _forwarded(port: int, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
    upstream = http.client.HTTPConnection(LOOPBACK, port, timeout=UPSTREAM_SECONDS)
    try:
        upstream.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for key, value in headers:
            if key.lower() not in _HOP_BY_HOP:
                upstream.putheader(key, value)
        upstream.putheader("Content-Length", str(len(body)))
        upstream.endheaders(body)
        answer = upstream.getresponse()
        kept = [(key, value) for key, value in answer.getheaders() if key.lower() not in _HOP_BY_HOP]
        return Reply(answer.status, tuple(kept), answer.read())
    finally:
        upstream.close()


def _handler(wire: Wire, service: str, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = list(self.headers.items())
            asked, conduct = wire.note(service, self.command, self.path, self.headers.get("Host", ""))

            def forward() -> Reply:
                return _forwarded(port, self.command, self.path, sent, body)

            try:
                conduct(Exchange(wire, asked, self.path, forward, self._answer, self._drop, self._hold))
            except (OSError, http.client.HTTPException):
                self._drop()  # the cloud is gone, or the client is

        def _answer(self, reply: Reply) -> None:
            self.send_response_only(reply.status)
            for key, value in reply.headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            self.wfile.flush()

        def _drop(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.shutdown(socket.SHUT_RDWR)

        def _hold(self, seconds: float) -> None:
            """Say nothing until the client has given up, or for so long."""
            select.select([self.connection], [], [], seconds)
            self._drop()

        do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815  the names that the server calls

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler
