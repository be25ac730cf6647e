"""A proxy between the program and one API of the local cloud: it loses the reply to the next request of a kind.

The API carries the request out; what comes back is what a test pulls the plug on. A request that the API refuses had no
effect: it gets its answer, and the next one counts. `drop` closes the connection without
an answer. `hold` keeps silent until the test has done its thing to whoever waits, then closes it.
"""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx

SECONDS = 120.0
_HOPS = {"connection", "transfer-encoding", "content-length", "host"}


@dataclass
class Lost:
    """A request whose reply is lost, once: a method and a pattern for its path. `happened` is set after the effect."""

    method: str
    path: str
    hold: bool = False
    happened: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def fits(self, method: str, path: str) -> bool:
        return method == self.method and re.fullmatch(self.path, urlsplit(path).path) is not None


class Between:
    """The proxy: `port` stands for the API at `target`, a port too; `lose` says which reply is lost next."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._waiting: list[Lost] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]

    @contextmanager
    def running(self) -> Iterator[Between]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(SECONDS)

    @contextmanager
    def lose(self, method: str, path: str, *, hold: bool = False) -> Iterator[Lost]:
        """Lose the reply to the next such request that the API carries out; fail the test if there was none."""
        lost = Lost(method, path, hold)
        with self._lock:
            self._waiting.append(lost)
        try:
            yield lost
        finally:
            lost.let_go.set()
            with self._lock:
                if lost in self._waiting:
                    self._waiting.remove(lost)
        assert lost.happened.is_set(), f"no {method} {path} was carried out"

    def _taken(self, method: str, path: str) -> Lost | None:
        with self._lock:
            found = next((lost for lost in self._waiting if lost.fits(method, path)), None)
            if found:
                self._waiting.remove(found)
            return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOPS}
                api = http.client.HTTPConnection("127.0.0.1", between._target, timeout=SECONDS)
                try:
                    api.request(self.command, self.path, body or None, headers)
                    answer = api.getresponse()
                    content = answer.read()
                finally:
                    api.close()
                carried_out = httpx.codes.is_success(answer.status)
                if carried_out and (lost := between._taken(self.command, self.path)):
                    lost.happened.set()
                    if lost.hold:
                        lost.let_go.wait(SECONDS)
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response_only(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in _HOPS:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.forward)
        return Handler
