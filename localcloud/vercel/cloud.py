"""The local Vercel as one thing that starts and stops: an API, an edge, and the processes behind it."""

import asyncio
import logging
from pathlib import Path

from aiohttp import web

from localcloud.private_files import private_folder
from localcloud.vercel.aliasing import Aliasing
from localcloud.vercel.api import deployment_routes, project_routes, promotion_routes, variable_routes
from localcloud.vercel.api.routing import Routes
from localcloud.vercel.blobs import Blobs
from localcloud.vercel.builds import Builder
from localcloud.vercel.deployments import Deployments
from localcloud.vercel.edge import Edge
from localcloud.vercel.instances import Instances
from localcloud.vercel.ledger import Ledger
from localcloud.vercel.projects import Projects
from localcloud.vercel.services import Services
from localcloud.vercel.store import Store
from localcloud.vercel.variables import Variables

log = logging.getLogger("localcloud.vercel")

_LOOPBACK = "127.0.0.1"
_GRACE_SECONDS = 5.0
_IDLE_CHECK_SECONDS = 15.0


class VercelCloud:
    """Vercel's API v1 to v13 and its edge, on two loopback ports, with all state in one folder.

    Port 0 picks a free one; `api_port` and `edge_port` tell which after `start`. `build_delay` (seconds) slows each
    step of a build, `idle_seconds` is how long a process without requests is kept.
    """

    def __init__(
        self,
        state: Path,
        *,
        token: str,
        api_port: int,
        edge_port: int,
        build_delay: float = 0,
        idle_seconds: float = 300,
    ) -> None:
        self.api_port = api_port
        self.edge_port = edge_port
        self._state = state
        self._token = token
        self._build_delay = build_delay
        self._idle_seconds = idle_seconds
        self._services: Services | None = None
        self._instances: Instances | None = None
        self._runners: list[web.AppRunner] = []
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Clear up after a killed predecessor, take up its builds, and return when both ports answer."""
        state = private_folder(self._state)
        ledger = Ledger(state / "processes")
        if left_over := await ledger.reap():
            log.warning("ended %d processes that an earlier run left behind", left_over)
        store = Store(state / "vercel.db")
        blobs = Blobs(state / "files")
        builder = Builder(state, store=store, blobs=blobs, ledger=ledger, delay=self._build_delay)
        self._instances = instances = Instances(
            state, ledger=ledger, app_folder=builder.app_folder, idle_seconds=self._idle_seconds
        )
        aliasing = Aliasing(store)
        self._services = Services(
            store=store,
            blobs=blobs,
            aliasing=aliasing,
            projects=Projects(store, aliasing),
            variables=Variables(store),
            deployments=Deployments(store=store, blobs=blobs, builder=builder, instances=instances, aliasing=aliasing),
        )
        if resumed := self._services.deployments.resume():
            log.info("took up %d builds that were cut off", resumed)
        modules = (project_routes, variable_routes, promotion_routes, deployment_routes)
        api = Routes(*(module.routes for module in modules)).application(self._services, token=self._token)
        self.api_port = await self._listen(api, self.api_port)
        self.edge_port = await self._listen(Edge(store=store, instances=instances).application(), self.edge_port)
        self._sweeping = asyncio.create_task(self._sweep(instances))
        log.info("Vercel's API answers on port %d, the edge on port %d", self.api_port, self.edge_port)

    async def stop(self) -> None:
        """Answer what is under way, end every process, keep all state. Also after a start that failed half-way."""
        if self._sweeping:
            self._sweeping.cancel()
            await asyncio.wait({self._sweeping})
        for runner in reversed(self._runners):
            await runner.cleanup()
        self._runners.clear()
        if self._services:
            await self._services.deployments.stop()
        if self._instances:
            await self._instances.stop_all()
        if self._services:
            self._services.store.close()
        self._services = self._instances = self._sweeping = None

    async def _listen(self, application: web.Application, port: int) -> int:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_SECONDS, handle_signals=False)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, _LOOPBACK, port).start()
        return int(runner.addresses[0][1])

    async def _sweep(self, instances: Instances) -> None:
        while True:
            await asyncio.sleep(min(_IDLE_CHECK_SECONDS, self._idle_seconds / 2))
            try:
                await instances.stop_idle()
            except OSError:
                log.exception("idle processes could not be ended")
