"""One side of a proxied session: reads the greeting packet by packet, then passes bytes on at its peer's pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from localcloud.neon.wire import first_packet_length


async def dial(socket: Path) -> Line:
    """Connect to a compute."""
    _, line = await asyncio.get_running_loop().create_unix_connection(Line, str(socket))
    return line


class Line(asyncio.Protocol):
    """One side of a session: buffers until its first packet is read, then passes everything to its peer."""

    def __init__(self, accepted: Callable[[Line], None] | None = None) -> None:
        self._accepted = accepted
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._news = asyncio.Event()
        self._peer: Line | None = None
        self._is_closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._accepted is not None:
            self._accepted(self)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._peer is not None:
            self._peer.write(data)
        else:
            self._received += data
            self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - either way it is over
        """Called by the event loop."""
        self._is_closed.set()
        self._news.set()
        if self._peer is not None:
            self._peer.close()

    def pause_writing(self) -> None:
        """Called by the event loop: let this side's slowness reach the other side's sender."""
        if self._peer is not None:
            self._peer.pause_reading()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        if self._peer is not None:
            self._peer.resume_reading()

    def pause_reading(self) -> None:
        """Receive no more for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send, unless it is closed."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close when what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    async def closed(self) -> None:
        """Return when the connection is gone."""
        await self._is_closed.wait()

    async def first_packet(self) -> bytes | None:
        """The next whole packet of the greeting; None at its end."""
        while True:
            length = first_packet_length(self._received)
            if length is not None and len(self._received) >= length:
                packet = bytes(self._received[:length])
                del self._received[:length]
                return packet
            if self._is_closed.is_set():
                return None
            self._news.clear()
            await self._news.wait()

    async def join(self, peer: Line) -> None:
        """Pass bytes both ways until one side ends."""
        self._peer, peer._peer = peer, self
        peer.write(bytes(self._received))
        self._received.clear()
        if self._is_closed.is_set():
            peer.close()
        if peer._is_closed.is_set():
            self.close()
        await peer.closed()
        self.close()
