"""An HTTP service that remembers every request, and fails where it is told to."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    body: Any
    token: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Failure:
    pattern: str
    answer: Answer
    times: int


@dataclass
class Recorder:
    """What a stub service shares with its test."""

    answer: Callable[[Request], Answer]
    requests: list[Request] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    url: str = ""

    def fail(self, pattern: str, status: int, message: str = "made to fail", times: int = 1_000_000) -> None:
        """Answers requests like `POST /projects` with an error."""
        body = {"message": message, "error": {"message": message, "code": "made_up"}}
        self.failures.append(Failure(pattern, (status, body), times))

    def taken(self) -> list[str]:
        """The requests since the last time, as `METHOD /path`."""
        lines = [str(request) for request in self.requests]
        self.requests.clear()
        return lines

    def writes(self) -> list[Request]:
        found = [request for request in self.requests if request.method != "GET"]
        self.requests.clear()
        return found

    def respond(self, request: Request) -> Answer:
        self.requests.append(request)
        for failure in self.failures:
            if failure.times and re.search(failure.pattern, str(request)):
                failure.times -= 1
                return failure.answer
        return self.answer(request)


@contextmanager
def served(recorder: Recorder) -> Iterator[Recorder]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            path, _, query = self.path.partition("?")
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            request = Request(self.command, path, query, json.loads(content) if content else None, token)
            status, body = recorder.respond(request)
            payload = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815  the names that the server calls

        def log_message(self, *_: object) -> None:
            """Keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
