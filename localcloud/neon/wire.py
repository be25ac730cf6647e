"""The few messages of the Postgres protocol that a proxy has to understand: all that comes before authentication."""

from __future__ import annotations

import struct
from dataclasses import dataclass

LARGEST_STARTUP = 10_000

_CANCEL = 80877102
_TLS = 80877103
_GSS = 80877104
_ENDPOINT_OPTION = "endpoint="
_POOLER_SUFFIX = "-pooler"


class ProtocolError(Exception):
    """These bytes are no start of a Postgres session."""


@dataclass(frozen=True)
class EncryptionRequest:
    """The client asks for TLS or GSSAPI before it says more."""


@dataclass(frozen=True)
class CancelRequest:
    """The client asks to cancel a query of another session; the packet is passed on as it is."""

    packet: bytes


@dataclass(frozen=True)
class Startup:
    """The client's first message: which endpoint it wants, and what to tell its Postgres."""

    version: int
    parameters: dict[str, str]
    endpoint_id: str | None
    pooled: bool

    def packet(self) -> bytes:
        """The message for Postgres, which knows nothing of endpoints."""
        pairs = b"".join(
            part.encode("utf-8", "surrogateescape") + b"\0" for pair in self.parameters.items() for part in pair
        )
        body = struct.pack("!I", self.version) + pairs + b"\0"
        return struct.pack("!I", len(body) + 4) + body


FirstPacket = EncryptionRequest | CancelRequest | Startup


def first_packet_length(received: bytes | bytearray) -> int | None:
    """The length of the packet that these bytes begin, once it can be told."""
    if len(received) < 4:
        return None
    length: int = struct.unpack_from("!I", received)[0]
    if not 8 <= length <= LARGEST_STARTUP:
        raise ProtocolError(f"a startup packet can't have {length} bytes")
    return length


def parse_first_packet(packet: bytes) -> FirstPacket:
    """Read one whole packet."""
    code: int = struct.unpack_from("!I", packet, 4)[0]
    if code in (_TLS, _GSS):
        return EncryptionRequest()
    if code == _CANCEL:
        return CancelRequest(packet)
    if code >> 16 != 3:
        raise ProtocolError(f"protocol {code >> 16}.{code & 0xFFFF} isn't spoken here")
    parts = packet[8:].split(b"\0")
    if len(parts) < 2 or parts[-2:] != [b"", b""] or len(parts) % 2:
        raise ProtocolError("the startup packet's parameters don't end")
    texts = [part.decode("utf-8", "surrogateescape") for part in parts[:-2]]
    parameters = dict(zip(texts[::2], texts[1::2], strict=True))
    endpoint_id = _take_endpoint(parameters)
    pooled = endpoint_id is not None and endpoint_id.endswith(_POOLER_SUFFIX)
    if endpoint_id is not None and pooled:
        endpoint_id = endpoint_id.removesuffix(_POOLER_SUFFIX)
    return Startup(version=code, parameters=parameters, endpoint_id=endpoint_id, pooled=pooled)


def error_response(sqlstate: str, message: str) -> bytes:
    """A fatal error as a client shows it."""
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": message}
    body = b"".join(name.encode() + text.encode() + b"\0" for name, text in fields.items()) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


def _take_endpoint(parameters: dict[str, str]) -> str | None:
    """Remove `endpoint=…` from the options; the others stay."""
    words = parameters.get("options", "").split()
    found = [word for word in words if word.startswith(_ENDPOINT_OPTION)]
    if not found:
        return None
    others = " ".join(word for word in words if not word.startswith(_ENDPOINT_OPTION))
    if others:
        parameters["options"] = others
    else:
        del parameters["options"]
    return found[-1].removeprefix(_ENDPOINT_OPTION)
