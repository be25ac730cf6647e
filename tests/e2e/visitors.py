"""Visitors of the app, for tests of what they notice: readers at a steady rate, and writers as fast as they can."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

PER_SECOND = 50


class Visitors:
    """Ask the app for its health 50 times a second from a thread of their own; count and time the answers.

    `failures` tells what was wrong with those that failed, and at which deployment.
    """

    def __init__(self, url: str, domain: str, *, path: str = "/health", per_second: int = PER_SECOND) -> None:
        self.answers: Counter[str] = Counter()
        self.branches: Counter[str] = Counter()
        self.failures: Counter[tuple[str, str]] = Counter()
        self.seconds: list[float] = []
        self._url, self._domain = url, domain
        self._path, self._per_second = path, per_second
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
                await asyncio.sleep(1 / self._per_second)
            await asyncio.gather(*asked)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        began = time.monotonic()
        try:
            answer = await client.get(f"{self._url}{self._path}")
        except httpx.HTTPError as error:
            self.answers[type(error).__name__] += 1
            return
        self.seconds.append(time.monotonic() - began)
        self.answers[str(answer.status_code)] += 1
        self.branches[answer.json().get("branch")] += 1
        if answer.is_error:
            self.failures[answer.json().get("error", ""), answer.json().get("deployment", "")] += 1


class Writers(Visitors):
    """Place orders with four connections as fast as the app takes them; note which branch acknowledged which, and when.

    `pause` is how many seconds each of them rests after an answer.
    """

    def __init__(self, url: str, domain: str, *, pause: float = 0) -> None:
        super().__init__(url, domain)
        self._pause = pause
        self.acknowledged: list[tuple[str, int]] = []
        self.moments: list[float] = []

    async def _visit(self) -> None:
        async with httpx.AsyncClient(headers={"Host": self._domain}, timeout=10) as client:
            await asyncio.gather(*(self._write(client) for _ in range(4)))

    def went_on(self, after: float) -> float:
        """Return how many seconds after a moment the next order was acknowledged; infinity if none was."""
        return min((moment - after for moment in self.moments if moment > after), default=float("inf"))

    async def _write(self, client: httpx.AsyncClient) -> None:
        while not self._done.is_set():
            began = time.monotonic()
            try:
                answer = await client.post(f"{self._url}/orders")
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1
                continue
            self.seconds.append(time.monotonic() - began)
            self.answers[str(answer.status_code)] += 1
            if answer.status_code == httpx.codes.CREATED:
                self.acknowledged.append((answer.json()["branch"], answer.json()["id"]))
                self.moments.append(time.monotonic())
            await asyncio.sleep(self._pause)
