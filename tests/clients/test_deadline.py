"""Inside a time limit nothing takes longer than what is left of it, whichever client it is and however it is stuck."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from environments.clients import http
from environments.clients.deadline import (
    OutOfTimeError,
    TimeLimit,
    at_most,
    call_within,
    pause,
    seconds_left,
)
from environments.clients.http import AnswerTooLargeError, ApiError, ApiUnreachableError, JsonApi
from environments.clients.postgres import NotReadyError, connected
from environments.clients.vercel import Vercel
from environments.ids import DeploymentId, VercelProject
from tests.clients import strangers
from tests.clients.strangers import Conduct, answering, listening

SAID = "writes paused for too long"


@contextmanager
def held_to(seconds: float, doing: str = "") -> Iterator[None]:
    """Expect that the block takes no longer, within a second, and ends for that reason."""
    began = time.monotonic()
    with pytest.raises(OutOfTimeError, match=f"{SAID}: {doing}"), TimeLimit(seconds, SAID):
        yield
    assert time.monotonic() - began < seconds + 1


@contextmanager
def api(conduct: Conduct) -> Iterator[JsonApi]:
    with listening(conduct) as address, JsonApi("Neon", f"http://{address}", "made-up") as client:
        yield client


def test_a_call_may_take_what_it_needs_or_what_is_left() -> None:
    assert at_most(30, "") == 30
    assert seconds_left() is None
    with TimeLimit(5, SAID):
        assert at_most(1, "") == 1
        assert 4 < at_most(30, "") <= 5
    assert seconds_left() is None


def test_of_two_limits_the_one_that_ends_first_holds() -> None:
    with TimeLimit(5, SAID):
        with TimeLimit(60, "not this one"):
            assert 4 < at_most(30, "") <= 5
        with TimeLimit(1, "this one"):
            assert at_most(30, "") <= 1
        assert at_most(30, "") > 4


def test_what_is_left_counts_on_outside_of_its_blocks_and_nothing_holds_there() -> None:
    limit = TimeLimit(0.2, SAID)
    with limit:
        at_most(1, "")
    time.sleep(0.25)
    assert at_most(1, "") == 1
    with limit, pytest.raises(OutOfTimeError, match=f"{SAID}: the count"):
        at_most(1, "the count")


def test_a_pause_ends_with_the_limit() -> None:
    with held_to(0.3, "still scheduling"):
        pause(60, "still scheduling")


def test_a_call_that_is_given_up_hands_what_it_returns_after_all_to_whoever_tidies_up() -> None:
    late: list[str] = []
    go = threading.Event()

    def opened() -> str:
        go.wait(5)
        return "a connection"

    with pytest.raises(TimeoutError):
        call_within(0.1, opened, late.append)
    assert late == []
    go.set()
    deadline = time.monotonic() + 5
    while not late and time.monotonic() < deadline:
        time.sleep(0.01)
    assert late == ["a connection"]


def test_a_call_within_its_time_returns_or_raises_as_ever() -> None:
    assert call_within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        call_within(5, lambda: 1 // 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("conduct", [strangers.says_nothing, strangers.drips_a_body, strangers.drips_a_header])
def test_no_request_and_no_repeats_of_it_take_longer(conduct: Conduct, method: str) -> None:
    with api(conduct) as client, held_to(0.5, f"Neon did not answer {method} /projects in time"):
        client.call(method, "/projects")


@pytest.mark.parametrize("status", [423, 429, 503])
def test_waiting_for_an_api_that_is_busy_ends_with_the_limit(status: int) -> None:
    with api(answering(head=f"HTTP/1.1 {status} Busy\r\n".encode())) as client, held_to(0.7, "Neon did not answer"):
        client.call("GET", "/projects")


def test_without_a_limit_an_answer_has_a_total_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_TIMEOUT", 0.3)
    with api(strangers.drips_a_body) as client, pytest.raises(ApiUnreachableError, match="ReadTimeout"):
        client.call("POST", "/projects")


def test_an_answer_of_an_api_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_LARGEST_ANSWER", 2**20)
    with api(strangers.has_no_end) as client, pytest.raises(AnswerTooLargeError, match="larger than 1 MiB"):
        client.call("GET", "/projects")


@pytest.mark.parametrize("body", [b"<html>", b"[" * 900_000, b"\xff"])
def test_an_answer_that_is_not_json_is_an_error_of_the_api(body: bytes) -> None:
    with api(answering(body=body)) as client, pytest.raises(ApiError, match="GET /projects: the answer is not JSON"):
        client.call("GET", "/projects")


def test_an_error_of_any_shape_is_told() -> None:
    refusal = b"HTTP/1.1 400 No\r\n"
    with api(answering(head=refusal, body=b'{"error": "a word"}')) as client, pytest.raises(ApiError, match="a word"):
        client.call("GET", "/projects")


@pytest.mark.parametrize(
    "sent",
    [
        {"env": {"DATABASE_URL": "postgresql://app:s3cret%21@host/db"}},
        {"build": {"env": {"A": "s3cret!"}}},
        {"value": "s3cret!"},
        [{"key": "A", "value": "s3cret!"}],
        {"role": {"name": "app", "password": "s3cret!"}},
    ],
)
def test_what_an_api_repeats_of_a_secret_is_masked(sent: object) -> None:
    refusal = b'{"error": {"code": "bad", "message": "s3cret! in postgresql://app:s3cret%21@host/db is no value"}}'
    with api(answering(head=b"HTTP/1.1 400 No\r\n", body=refusal)) as client, pytest.raises(ApiError) as error:
        client.call("POST", "/env", json=sent)
    assert "s3cret" not in str(error.value)
    assert "is no value" in str(error.value)


def test_a_promotion_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(answering(body=b'{"deploymentId": "dpl_old"}')) as address:
        monkeypatch.setenv("VERCEL_API_URL", f"http://{address}")
        monkeypatch.setenv("VERCEL_API_TOKEN", "made-up")
        with Vercel() as vercel, held_to(0.5):
            vercel.promote(VercelProject("prj"), DeploymentId("dpl_new"), "shop.example")


def test_connecting_to_a_server_that_says_nothing_ends_with_the_limit() -> None:
    with listening(strangers.says_nothing) as address, held_to(0.5, "the database did not take a connection"):
        connect(f"postgresql://app:s3cret@{address}/db")


def test_connecting_without_a_limit_is_told_as_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotReadyError, match="the database did not take a connection"):
        connect(f"postgresql://app:s3cret@127.0.0.1:{port}/db")


def connect(uri: str) -> None:
    with connected(uri, wait_seconds=0):
        pass
