"""A running local Vercel and a client that deploys small apps to it over HTTP."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.vercel import VercelCloud

TOKEN = "t" * 24
REWRITE_ALL = '{"rewrites": [{"source": "/(.*)", "destination": "/api"}]}'
SHOW_ENVIRONMENT = """
export default function (request, response) {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ url: request.url, env: process.env }));
}
"""


@dataclass
class Client:
    """What a provider does over HTTP, in short words."""

    api: httpx.AsyncClient
    edge: httpx.AsyncClient

    async def call(self, method: str, path: str, json: Any = None, *, status: int | None = None) -> Any:
        """Send a request and return its JSON; any success will do where no status is named."""
        answer = await self.api.request(method, path, json=json)
        assert answer.is_success if status is None else answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def project(self, name: str = "shop", **settings: Any) -> str:
        """Make a project and return its id."""
        return str((await self.call("POST", "/v11/projects", {"name": name, **settings}))["id"])

    async def variable(self, project: str, key: str, value: str, *target: str, **more: Any) -> Any:
        """Make an encrypted variable."""
        body = {"key": key, "value": value, "target": list(target or ("production",)), "type": "encrypted", **more}
        return (await self.call("POST", f"/v10/projects/{project}/env", body, status=201))["created"]

    async def deploy(
        self, project: str, source: str = SHOW_ENVIRONMENT, *, files: dict[str, str] | None = None, **order: Any
    ) -> Any:
        """Upload an app and deploy it; returns the deployment once it is built, or failed."""
        contents = {
            "api/index.js": source,
            "vercel.json": REWRITE_ALL,
            "package.json": '{"type": "module"}',
            **(files or {}),
        }
        manifest = []
        for path, text in contents.items():
            content = text.encode()
            sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            manifest.append({"file": path, "sha": sha, "size": len(content)})
            answer = await self.api.post("/v2/now/files", content=content, headers={"x-vercel-digest": sha})
            assert answer.status_code == 200, answer.text
        body = {"name": "shop", "project": project, "target": "production", "files": manifest, **order}
        deployment = await self.call("POST", "/v13/deployments", body)
        return await self.built(deployment["id"])

    async def built(self, deployment_id: str) -> Any:
        """Wait for the end of a build, and of the aliasing if it succeeded."""
        until = time.monotonic() + 20
        while True:
            deployment = await self.call("GET", f"/v13/deployments/{deployment_id}")
            if deployment["aliasAssigned"] or deployment["readyState"] in ("ERROR", "CANCELED"):
                return deployment
            assert time.monotonic() < until, f"still {deployment['readyState']}"
            await asyncio.sleep(0.01)

    async def visit(self, host: str, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:
        """Ask the edge as a visitor of this host."""
        headers = {"host": host, **more.pop("headers", {})}
        return await self.edge.request(method, path, headers=headers, **more)

    async def seen_by(self, host: str) -> dict[str, str]:
        """The environment of the deployment behind a host."""
        answer = await self.visit(host)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["env"])

    async def serving(self, host: str) -> str:
        """The id of the deployment behind a host."""
        return (await self.seen_by(host))["VERCEL_DEPLOYMENT_ID"]


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[VercelCloud]:
    running = VercelCloud(tmp_path / "vercel", token=TOKEN, api_port=0, edge_port=0)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[int, int], Client]]:
    """A client for any API port and edge port."""
    opened: list[httpx.AsyncClient] = []

    def open_client(api_port: int, edge_port: int) -> Client:
        headers = {"authorization": f"Bearer {TOKEN}"}
        api = httpx.AsyncClient(base_url=f"http://127.0.0.1:{api_port}", headers=headers, timeout=30, trust_env=False)
        edge = httpx.AsyncClient(base_url=f"http://127.0.0.1:{edge_port}", timeout=30, trust_env=False)
        opened.extend((api, edge))
        return Client(api, edge)

    yield open_client
    for client in opened:
        await client.aclose()


@pytest.fixture
def client(cloud: VercelCloud, connect: Callable[[int, int], Client]) -> Client:
    return connect(cloud.api_port, cloud.edge_port)
