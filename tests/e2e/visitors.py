"""Visitors of the app, for tests of what they notice: readers at a steady rate, and writers as fast as they can."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

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


class Writers(Visitors):
    """Place orders with four connections as fast as the app takes them, and note which branch acknowledged which."""

    def __init__(self, url: str, domain: str) -> None:
        super().__init__(url, domain)
        self.acknowledged: list[tuple[str, int]] = []

    async def _visit(self) -> None:
        async with httpx.AsyncClient(headers={"Host": self._domain}, timeout=10) as client:
            await asyncio.gather(*(self._write(client) for _ in range(4)))

    async def _write(self, client: httpx.AsyncClient) -> None:
        while not self._done.is_set():
            try:
                answer = await client.post(f"{self._url}/orders")
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1
                continue
            self.answers[str(answer.status_code)] += 1
            if answer.status_code == httpx.codes.CREATED:
                self.acknowledged.append((answer.json()["branch"], answer.json()["id"]))
