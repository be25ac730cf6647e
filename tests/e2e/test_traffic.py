"""Visitors and a promotion at the same time: no read fails, and no acknowledged write is lost."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.conftest import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PER_SECOND = 50


class Visitors:
    """Ask the app for its health 50 times a second from a thread of their own, and count the answers."""

    def __init__(self, url: str, domain: str) -> None:
        self.answers: Counter[str] = Counter()
        self.branches: Counter[str] = Counter()
        self._url, self._domain = url, domain
        self._done = threading.Event()

    @contextmanager
    def visiting(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: asyncio.run(self._visit()))
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    async def _visit(self) -> None:
        async with httpx.AsyncClient(headers={"Host": self._domain}, timeout=10) as client:
            asked: set[asyncio.Task[None]] = set()
            while not self._done.is_set():
                task = asyncio.create_task(self._ask(client))
                asked.add(task)
                task.add_done_callback(asked.discard)
                await asyncio.sleep(1 / PER_SECOND)
            await asyncio.gather(*asked)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        try:
            answer = await client.get(f"{self._url}/health")
        except httpx.HTTPError as error:
            self.answers[type(error).__name__] += 1
            return
        self.answers[str(answer.status_code)] += 1
        self.branches[answer.json().get("branch")] += 1


def test_no_request_fails_while_production_is_promoted_and_rolled_back(world: World) -> None:
    visitors = Visitors(world.cloud.vercel_edge_url, world.outputs("prod")["domain"])
    with visitors.visiting():
        world.promote("prod-v2")
        world.edit("prod", serve="prod-v1")
        world.up("prod")
    assert set(visitors.answers) == {"200"}, visitors.answers
    assert visitors.answers["200"] > 2 * PER_SECOND
    assert len(visitors.branches) == 2, "both branches answered in their turn"
