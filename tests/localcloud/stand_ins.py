"""A daemon with small stand-ins for both halves: real HTTP, a child process each, and failures on demand.

Run as a program it is what `start` spawns in these tests. LOCALCLOUD_TEST_FAULT is `start`, `slow` or `deaf`.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud, state_folder
from localcloud.daemon import Service, serve
from localcloud.page import Page
from localcloud.ports import LOOPBACK

NEON: dict[str, Any] = {
    "/api/v2/projects": {"projects": [{"id": "calm-sea-12345678", "name": "shop"}]},
    "/api/v2/projects/calm-sea-12345678/branches": {
        "branches": [
            {"id": "br-b", "name": "dev", "parent_id": "br-a", "default": False, "protected": False},
            {"id": "br-a", "name": "main", "default": True, "protected": False},
            {"id": "br-c", "name": "prod-v1", "parent_id": "br-b", "default": False, "protected": True},
        ]
    },
    "/api/v2/projects/calm-sea-12345678/endpoints": {
        "endpoints": [
            {
                "id": "ep-c",
                "branch_id": "br-c",
                "autoscaling_limit_min_cu": 1,
                "autoscaling_limit_max_cu": 4,
                "current_state": "active",
                "disabled": False,
            },
            {
                "id": "ep-b",
                "branch_id": "br-b",
                "autoscaling_limit_min_cu": 0.25,
                "autoscaling_limit_max_cu": 0.25,
                "current_state": "idle",
                "disabled": False,
            },
        ]
    },
}

VERCEL: dict[str, Any] = {
    "/v9/projects": {"projects": [{"id": "prj_1", "name": "shop"}]},
    "/v6/deployments": {
        "deployments": [
            {"uid": "dpl_2", "url": "shop-2.vercel.app", "state": "READY", "target": "production", "meta": {}},
            {
                "uid": "dpl_1",
                "url": "shop-1.vercel.app",
                "state": "READY",
                "target": None,
                "meta": {"neonBranch": "<b>dev</b>"},
            },
        ]
    },
    "/v4/aliases": {
        "aliases": [
            {"alias": "shop.vercel.app", "deploymentId": "dpl_2"},
            {"alias": "shop-2.vercel.app", "deploymentId": "dpl_2"},
        ]
    },
}


class Api:
    """Answers canned bodies to the right token, and keeps a child process at work in its folder, as the halves do."""

    def __init__(self, port: int, token: str, bodies: dict[str, Any], folder: Path) -> None:
        self.port, self.token, self.bodies, self.folder = port, token, bodies, folder
        self.child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        fault = os.environ.get("LOCALCLOUD_TEST_FAULT")
        if fault == "start":
            raise RuntimeError("the disk is full")
        if fault == "slow":
            await asyncio.sleep(0.6)
        if fault == "deaf":
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, lambda *_: None)
        self.child = await asyncio.create_subprocess_exec("sleep", "300", cwd=self.folder, start_new_session=True)
        self.runner = web.AppRunner(self._app())
        await self.runner.setup()
        await web.TCPSite(self.runner, LOOPBACK, self.port).start()

    async def stop(self) -> None:
        if self.child:
            self.child.terminate()
            await self.child.wait()
            await self.runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "no such token"}, status=401)
        if request.path not in self.bodies:
            return web.json_response({"message": "no such route"}, status=404)
        return web.json_response(self.bodies[request.path])


def services(cloud: Cloud) -> list[Service]:
    return [
        Api(cloud.ports.neon_api, cloud.neon_api_key, NEON, cloud.neon_state),
        Api(cloud.ports.vercel_api, cloud.vercel_api_token, VERCEL, cloud.vercel_state),
        Page(cloud, lambda: {"dpl_2": "ep-c"}),
    ]


COMMAND = (sys.executable, str(Path(__file__).resolve()))

if __name__ == "__main__":
    serve(Cloud.load(state_folder()), services)
