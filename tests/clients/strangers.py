"""Servers that don't behave: each is given what it does with a connection, and runs on 127.0.0.1."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Conduct = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def listening(conduct: Conduct) -> Iterator[str]:
    """A server that does the same with every connection; its address, as HOST:PORT."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=behave, args=(connection,), daemon=True).start()

        def behave(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20)
                conduct(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def answering(*, head: bytes = OK, body: bytes = b"") -> Conduct:
    """Answer every request alike."""

    def conduct(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return conduct


def drips_a_body(connection: socket.socket) -> None:
    """Send a byte of the body now and then, for ever."""
    connection.recv(65536)
    connection.sendall(OK + b"Content-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def drips_a_header(connection: socket.socket) -> None:
    """Send a byte of the headers now and then, for ever."""
    connection.recv(65536)
    connection.sendall(OK + b"X-Long: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def has_no_end(connection: socket.socket) -> None:
    """Send a body as fast as it is taken, for ever."""
    connection.recv(65536)
    connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"[" * 65536 + b"\r\n"
    while True:
        connection.sendall(chunk)


def says_nothing(connection: socket.socket) -> None:
    """Take the request and wait."""
    while connection.recv(65536):
        pass


def resets(connection: socket.socket) -> None:
    """Take the request and end the connection with a reset."""
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def has_a_huge_header(connection: socket.socket) -> None:
    """Send headers of 8 MB."""
    connection.recv(65536)
    connection.sendall(OK + b"X-Large: " + b"x" * 8_000_000 + b"\r\n\r\n{}")
