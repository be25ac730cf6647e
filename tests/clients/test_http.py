"""Which refusals are waited for: a lock on a Neon project for long, an overload a little, anything else not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from environments.clients.http import ApiError, JsonApi


class Server(ThreadingHTTPServer):
    """Answers the statuses that it is given, one after the other, then 201."""

    statuses: list[int]
    asked: int = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        self.rfile.read(int(self.headers["Content-Length"]))
        server.asked += 1
        self.send_response(server.statuses.pop(0) if server.statuses else 201)
        self.send_header("Retry-After", "0.01")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def post(server: Server) -> None:
    with JsonApi("Neon", f"http://127.0.0.1:{server.server_port}", "token") as api:
        api.call("POST", "/branches", json={})


def test_a_project_that_is_locked_by_another_change_is_waited_for(server: Server) -> None:
    server.statuses = [423] * 20
    post(server)
    assert server.asked == 21


def test_the_patience_with_a_lock_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("environments.clients.http._LOCK_PATIENCE", 0.3)
    server.statuses = [423] * 10_000
    with pytest.raises(ApiError, match="Neon answered 423"):
        post(server)


@pytest.mark.parametrize("status", [429, 503])
def test_an_overload_is_waited_for_a_little(server: Server, status: int) -> None:
    server.statuses = [status] * 5
    post(server)
    server.asked, server.statuses = 0, [status] * 20
    with pytest.raises(ApiError, match=f"Neon answered {status}"):
        post(server)
    assert server.asked == 6


@pytest.mark.parametrize("status", [400, 409, 422, 500])
def test_a_refusal_is_told_at_once(server: Server, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(ApiError, match=f"Neon answered {status}"):
        post(server)
    assert server.asked == 1
