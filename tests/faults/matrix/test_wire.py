"""Each kind of fault does to one request what its name says, and to no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from localcloud.cloud import Cloud
from localcloud.ports import Ports
from tests.faults.matrix.faults import FAULTS
from tests.faults.matrix.points import KILLS, Point, in_order, points_of
from tests.faults.matrix.wire import Asked, Wire, shape_of
from tests.localcloud.plugins.recorder import Recorder, Request, served

PATH = "/api/v2/projects/calm-sea-12345678/branches"
ASKED = Asked("neon", "POST", "/projects/*/branches", 1)
OPERATION = {"id": "op-1", "project_id": "calm-sea-12345678", "status": "finished"}
EFFECT = {"500 after", "dropped after", "garbage", "failed operation", "late effect"}
"""The faults in spite of which the request has its effect."""
UNANSWERED = {"dropped before", "dropped after", "late effect"}


@dataclass
class Neon:
    """A service that counts what it is asked for."""

    effects: list[str] = field(default_factory=list)
    moved: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: Request) -> tuple[int, object]:
        if request.path.endswith("op-1"):
            return 200, {"operation": OPERATION}
        self.effects.append(str(request))
        self.moved.set()
        return 201, {"branch": {"id": "br-1"}, "operations": [OPERATION]}


@pytest.fixture
def neon() -> Iterator[tuple[Neon, Cloud]]:
    service = Neon()
    with served(Recorder(service.answer)) as recorder:
        port = int(recorder.url.rpartition(":")[2])
        ports = Ports(neon_api=port, postgres=port, vercel_api=port, edge=port, page=port)
        yield service, Cloud(state=Path(), ports=ports, neon_api_key="", vercel_api_token="")


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS if fault.name != "no reply"])
def test_a_fault_befalls_the_request_that_it_is_meant_for_and_no_other(neon: tuple[Neon, Cloud], name: str) -> None:
    service, cloud = neon
    (fault,) = (each for each in FAULTS if each.name == name)
    with Wire(cloud, lambda asked: fault.conduct if asked == ASKED else None).strung() as wire:
        url = wire.env["NEON_API_HOST"].removesuffix("/api/v2") + PATH
        try:
            answer = httpx.post(url, json={}, timeout=5)
        except httpx.HTTPError:
            assert name in UNANSWERED
        else:
            assert name not in UNANSWERED
            assert answer.status_code == {"garbage": 200, "failed operation": 201}.get(
                name, int(name[:3]) if name[0] in "45" else 0
            )
        if name == "late effect":
            assert not service.effects, "not yet"
        assert service.moved.wait(5 if name in EFFECT else 0) == (name in EFFECT)
        assert httpx.post(url, json={}, timeout=5).json()["operations"][0]["status"] == (
            "failed" if name == "failed operation" else "finished"
        )
        assert wire.struck == 1
        assert [asked.nth for asked in wire.requests] == [1, 2]


def test_an_operation_that_fails_does_so_a_little_later(neon: tuple[Neon, Cloud]) -> None:
    (fault,) = (each for each in FAULTS if each.name == "failed operation")
    with Wire(neon[1], lambda asked: fault.conduct if asked == ASKED else None).strung() as wire:
        url = wire.env["NEON_API_HOST"].removesuffix("/api/v2") + PATH
        assert httpx.post(url, json={}).json()["operations"][0]["status"] == "running"
        asked = url.removesuffix("branches") + "operations/op-1"
        assert httpx.get(asked).json()["operation"]["status"] == "failed"


def test_without_a_reply_the_client_waits_until_it_gives_up(neon: tuple[Neon, Cloud]) -> None:
    (fault,) = (each for each in FAULTS if each.name == "no reply")
    with Wire(neon[1], lambda _: fault.conduct).strung() as wire:
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(wire.env["NEON_API_HOST"] + "/projects", timeout=0.5)
        assert time.monotonic() - began >= 0.5
    assert not neon[0].effects


def test_a_path_without_what_differs_from_run_to_run_is_the_same_in_each() -> None:
    assert shape_of("/api/v2/projects/calm-sea-12345678/branches/br-old-sun-12345678?x=1") == "/projects/*/branches/*"
    assert shape_of("/v10/projects/prj_kX9/env/a1B2c3D4e5F6g7H8") == "/v10/projects/*/env/*"
    assert shape_of("/projects/x/branches/y/roles/neondb_owner/reset_password").endswith("neondb_owner/reset_password")


def test_every_request_meets_every_kind_of_fault_and_a_read_has_no_effect_to_fail_after() -> None:
    read, write = Asked("neon", "GET", "/projects", 1), Asked("neon", "POST", "/projects", 1)
    of_read = {point.fault for point in points_of("x", [read])}
    assert {point.fault for point in points_of("x", [write])} == {fault.name for fault in FAULTS} | set(KILLS)
    assert of_read == {"423", "429", "500 before", "503", "dropped before", "no reply", "garbage"}


def test_the_order_of_points_is_the_same_for_a_seed_and_its_first_part_holds_something_of_everything() -> None:
    requests = [Asked("neon", "POST", "/projects", number) for number in range(1, 9)]
    recordings = {"one": requests, "two": requests[:4]}
    first = in_order(recordings, 7)
    assert first == in_order(recordings, 7)
    assert first != in_order(recordings, 8)
    assert sorted(map(_id, first)) == sorted(
        _id(point) for name, found in recordings.items() for point in points_of(name, found)
    )
    cells = {(point.scenario, point.fault) for point in first}
    assert {(point.scenario, point.fault) for point in first[: len(cells)]} == cells


def _id(point: Point) -> str:
    return point.id
