"""A visit to an app that may answer with anything: it ends in time, takes little memory, and repeats nothing."""

from __future__ import annotations

import gzip
import json
import resource
import sys
import time
from collections.abc import Callable

import pytest

from environments.clients import vercel
from environments.clients.deadline import OutOfTimeError, TimeLimit
from environments.clients.vercel import Answer, visit
from environments.cutover.pointer import HealthCheck
from environments.cutover.probe import UnhealthyError, probe
from environments.ids import BranchId
from tests.clients import strangers
from tests.clients.strangers import OK, Conduct, answering, listening

HEALTH = HealthCheck(path="/health", status=200)
BRANCH = BranchId("br-cool-darkness-12345678")


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> Callable[[Conduct], Answer]:
    def visiting(conduct: Conduct) -> Answer:
        with listening(conduct) as address:
            monkeypatch.setenv("VERCEL_EDGE_URL", f"http://{address}")
            return visit("shop.example", "/health")

    return visiting


def answer(body: object) -> Conduct:
    return answering(body=json.dumps(body).encode())


@pytest.mark.parametrize("conduct", [strangers.drips_a_body, strangers.drips_a_header, strangers.says_nothing])
def test_a_visit_ends_in_time_however_slowly_the_answer_comes(
    visited: Callable[[Conduct], Answer], conduct: Conduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vercel, "_VISIT_TIMEOUT", 0.5)
    began = time.monotonic()
    assert visited(conduct) == Answer(0, "ReadTimeout")
    assert time.monotonic() - began < 2


def test_an_answer_without_an_end_takes_no_memory(visited: Callable[[Conduct], Answer]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert visited(strangers.has_no_end) == Answer(0, "its answer is larger than 1 MiB")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * (2**20 if sys.platform == "darwin" else 2**10), "in KiB, in bytes on a Mac"


def test_a_compressed_answer_is_not_unpacked(visited: Callable[[Conduct], Answer]) -> None:
    bomb = gzip.compress(b" " * 500_000_000, 1)
    assert len(bomb) > 2**20
    assert visited(answering(head=OK + b"Content-Encoding: gzip\r\n", body=bomb)).failure.startswith("its answer is")
    small = gzip.compress(json.dumps({"branch": BRANCH}).encode())
    assert visited(answering(head=OK + b"Content-Encoding: gzip\r\n", body=small)) == Answer(200)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 900_000,
        b'{"branch":' * 90_000,
        b"[" * 400_000 + b"]" * 400_000,
        b"9" * 900_000,
        b"\xff\xfe{}",
        b"{",
        b"",
        b"null",
        b'{"branch": {"id": 1}}',
    ],
    ids=["open", "objects", "closed", "a number", "no text", "cut off", "empty", "null", "an object"],
)
def test_an_answer_that_cannot_be_read_names_no_branch(visited: Callable[[Conduct], Answer], body: bytes) -> None:
    assert visited(answering(body=body)) == Answer(200)


@pytest.mark.parametrize("conduct", [strangers.resets, strangers.has_a_huge_header, answering(head=b"\x00\x01\r\n")])
def test_whatever_breaks_is_a_failure_with_a_name(visited: Callable[[Conduct], Answer], conduct: Conduct) -> None:
    found = visited(conduct)
    assert found.status == 0
    assert found.failure in ("ReadError", "RemoteProtocolError", "LocalProtocolError")


def test_a_redirect_is_not_followed(visited: Callable[[Conduct], Answer]) -> None:
    away = b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:9/\r\n"
    assert visited(answering(head=away)) == Answer(307)


@pytest.mark.parametrize(
    "named",
    [
        "postgresql://app:s3cret@host/db",
        "br-",
        "br-A",
        "br--x",
        "br-x\n",
        "br-x y",
        "br-" + "a" * 60,
        "ep-cool-darkness-12345678",
        ["br-x"],
        7,
    ],
)
def test_only_what_looks_like_an_id_of_neons_is_taken_for_a_branch(
    visited: Callable[[Conduct], Answer], named: object
) -> None:
    assert visited(answer({"branch": named})) == Answer(200)


def test_the_branch_that_an_answer_names_is_known(visited: Callable[[Conduct], Answer]) -> None:
    assert visited(answer({"branch": BRANCH, "more": [1]})) == Answer(200, branch=BRANCH)


def test_what_a_deployment_answers_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(answer({"branch": "br-made-up-word"})) as address:
        monkeypatch.setenv("VERCEL_EDGE_URL", f"http://{address}")
        with pytest.raises(UnhealthyError, match=f"answers from another branch than {BRANCH}") as error:
            probe("shop.example", HEALTH, BRANCH, patience=0)
    assert "made-up-word" not in str(error.value)


def test_a_probe_keeps_the_time_limit_and_says_what_it_saw_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(answering(head=b"HTTP/1.1 500 Oh\r\n")) as address:
        monkeypatch.setenv("VERCEL_EDGE_URL", f"http://{address}")
        said = "it paused for too long: https://shop.example/health answers status 500, expected status 200"
        with TimeLimit(0.6, "it paused for too long"), pytest.raises(OutOfTimeError, match=said):
            probe("shop.example", HEALTH, BRANCH)


def test_a_visit_keeps_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(strangers.drips_a_body) as address:
        monkeypatch.setenv("VERCEL_EDGE_URL", f"http://{address}")
        began = time.monotonic()
        with TimeLimit(0.5, "it paused for too long"), pytest.raises(OutOfTimeError, match="it paused for too long: "):
            visit("shop.example", "/health")
        assert time.monotonic() - began < 2
