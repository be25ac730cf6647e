"""The start of a Postgres session as a proxy reads it."""

import struct

import pytest

from localcloud.neon.wire import (
    CancelRequest,
    EncryptionRequest,
    ProtocolError,
    Startup,
    first_packet_length,
    parse_first_packet,
)


def packet(*parameters: str, code: int = 3 << 16) -> bytes:
    body = struct.pack("!I", code) + b"".join(text.encode() + b"\0" for text in parameters) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def startup(*parameters: str) -> Startup:
    first = parse_first_packet(packet(*parameters))
    assert isinstance(first, Startup)
    return first


def test_the_endpoint_is_taken_out_of_the_options_and_the_others_stay() -> None:
    read = startup("user", "u", "options", "-c search_path=a endpoint=ep-x -c work_mem=1MB")
    assert read.endpoint_id == "ep-x"
    assert not read.pooled
    assert parse_first_packet(read.packet()) == startup("user", "u", "options", "-c search_path=a -c work_mem=1MB")


def test_options_that_held_nothing_else_are_gone() -> None:
    assert "options" not in startup("user", "u", "options", "endpoint=ep-x").parameters


def test_the_pooler_form_names_the_same_endpoint() -> None:
    read = startup("user", "u", "options", "endpoint=ep-x-pooler")
    assert (read.endpoint_id, read.pooled) == ("ep-x", True)


def test_no_endpoint_is_none() -> None:
    assert startup("user", "u").endpoint_id is None


def test_encryption_and_cancel_requests_are_told_apart() -> None:
    assert isinstance(parse_first_packet(struct.pack("!II", 8, 80877103)), EncryptionRequest)
    cancel = struct.pack("!IIII", 16, 80877102, 1, 2)
    assert parse_first_packet(cancel) == CancelRequest(cancel)


def test_a_length_is_told_only_once_it_is_there() -> None:
    assert first_packet_length(b"\0\0\0") is None
    assert first_packet_length(packet("user", "u")) == len(packet("user", "u"))


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1", struct.pack("!I", 7), struct.pack("!I", 1 << 30)])
def test_what_is_no_postgres_client_is_refused_by_its_first_bytes(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        first_packet_length(garbage)


@pytest.mark.parametrize("broken", [packet("user"), packet("user", "u")[:-1], packet(code=2 << 16)])
def test_a_broken_packet_is_refused(broken: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_first_packet(broken)
