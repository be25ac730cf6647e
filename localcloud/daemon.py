"""The one process that hosts the whole local cloud: Neon's half, Vercel's half and the page, on one event loop."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

from localcloud.cloud import Cloud
from localcloud.private_files import locked, write_private
from localcloud.processes import Identity

log = logging.getLogger("localcloud")

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Service(Protocol):
    """What the daemon hosts."""

    async def start(self) -> None:
        """Return when it answers."""

    async def stop(self) -> None:
        """Leave no process, keep all state."""


class Phase(StrEnum):
    """How far a daemon has come."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Record:
    """What a daemon says of itself in daemon.json."""

    process: Identity
    phase: Phase

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """The daemon that last started in this folder, alive or not."""
        try:
            content = json.loads(record_file(state).read_text())
            return cls(process=Identity(**content["process"]), phase=Phase(content["phase"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def of_living(cls, state: Path) -> Self | None:
        """The daemon that runs in this folder; the record of one that was killed counts as none."""
        record = cls.read(state)
        return record if record and record.process.alive() else None

    def write(self, state: Path) -> None:
        """Say it."""
        write_private(record_file(state), json.dumps(asdict(self)) + "\n")


class AlreadyServedError(Exception):
    """Another daemon hosts this state folder."""


def record_file(state: Path) -> Path:
    """Where the daemon says who it is and how far it has come."""
    return state / "daemon.json"


def halves(cloud: Cloud) -> list[Service]:
    """The services of a local cloud. Imported here: only the daemon pays for them."""
    from localcloud.neon import NeonCloud  # noqa: PLC0415
    from localcloud.page import Page, endpoint_named_in  # noqa: PLC0415
    from localcloud.vercel import VercelCloud  # noqa: PLC0415
    from localcloud.vercel.store import Store  # noqa: PLC0415

    def endpoints_in_use() -> dict[str, str]:
        store = Store(cloud.vercel_state / "vercel.db")
        try:
            named = {deployment.id: endpoint_named_in(deployment.env) for deployment in store.deployments.all()}
        finally:
            store.close()
        return {deployment: endpoint for deployment, endpoint in named.items() if endpoint}

    ports = cloud.ports
    neon = NeonCloud(cloud.neon_state, api_key=cloud.neon_api_key, api_port=ports.neon_api, proxy_port=ports.postgres)
    vercel = VercelCloud(
        cloud.vercel_state, token=cloud.vercel_api_token, api_port=ports.vercel_api, edge_port=ports.edge
    )
    return [neon, vercel, Page(cloud, endpoints_in_use)]


def serve(cloud: Cloud, services: Callable[[Cloud], Sequence[Service]] = halves) -> None:
    """Host the services until SIGTERM or SIGINT; AlreadyServedError if another daemon does."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    os.umask(0o077)
    try:
        with locked(cloud.state / "daemon.lock", wait=False):
            asyncio.run(_serve(cloud, services(cloud)))
    except BlockingIOError:
        raise AlreadyServedError(f"another daemon serves {cloud.state}: `localcloud status`") from None


async def _serve(cloud: Cloud, services: Sequence[Service]) -> None:
    process = Identity.of(os.getpid())
    assert process is not None, "this very process runs"
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    Record(process, Phase.STARTING).write(cloud.state)
    try:
        async with AsyncExitStack() as running:
            for service in services:
                # Registered first: a service whose start fails half-way has something to stop, too.
                running.push_async_callback(_stop, service)
                await service.start()
                if stopped.is_set():
                    break
            if not stopped.is_set():
                Record(process, Phase.READY).write(cloud.state)
                log.info("ready")
                await stopped.wait()
            Record(process, Phase.STOPPING).write(cloud.state)
            log.info("stopping")
    finally:
        record_file(cloud.state).unlink(missing_ok=True)
    log.info("stopped")


async def _stop(service: Service) -> None:
    """One service that doesn't stop must not keep the others from it; what it leaves running, `stop` ends."""
    try:
        await service.stop()
    except Exception:
        log.exception("%s did not stop cleanly", type(service).__name__)
