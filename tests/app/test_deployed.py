"""The app as a deployment of the local Vercel, on real Postgres: the way the stack deploys it."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.vercel import VercelCloud

pytestmark = pytest.mark.slow

TOKEN = "t" * 24
DOMAIN = {"host": "shop.vercel.app"}


async def _finished(api: httpx.AsyncClient, deployment: dict[str, Any]) -> dict[str, Any]:
    await api.get(f"/v3/deployments/{deployment['id']}/events", params={"follow": 1})
    return dict((await api.get(f"/v13/deployments/{deployment['id']}")).json())


async def test_the_app_is_built_from_its_lock_file_once_and_promoted_from_one_database_to_the_next(
    tmp_path: Path, app: Path, postgres: Any, seeded: str
) -> None:
    cloud = VercelCloud(tmp_path / "vercel", token=TOKEN, api_port=0, edge_port=0)
    await cloud.start()
    headers = {"authorization": f"Bearer {TOKEN}"}
    api = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{cloud.api_port}", headers=headers, timeout=120, trust_env=False
    )
    edge = httpx.AsyncClient(base_url=f"http://127.0.0.1:{cloud.edge_port}", timeout=30, trust_env=False)
    try:
        settings = {"name": "shop", "autoAssignCustomDomains": False}
        project = (await api.post("/v11/projects", json=settings)).json()["id"]
        files = []
        for path in sorted(app.rglob("*")):  # noqa: ASYNC240 - a handful of small files
            inner = path.relative_to(app)
            if path.is_file() and inner.parts[0] != "node_modules":
                content = path.read_bytes()
                sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
                await api.post("/v2/now/files", content=content, headers={"x-vercel-digest": sha})
                files.append({"file": str(inner), "sha": sha, "size": len(content)})

        built = []
        for database in (seeded, postgres.database()):
            body = {"name": "shop", "project": project, "target": "production", "files": files}
            body["env"] = {"DATABASE_URL": postgres.url(database)}
            answer = await api.post("/v13/deployments", json=body)
            built.append(await _finished(api, answer.json()))
        assert [deployment["readyState"] for deployment in built] == ["READY", "READY"], built
        assert built[1]["ready"] - built[1]["buildingAt"] < 1000

        first, second = built
        probe = (await edge.get("/health", headers={"host": first["url"]})).json()
        assert (probe["ok"], probe["database"], probe["deployment"]) == (True, seeded, first["id"])
        assert (await api.post(f"/v10/projects/{project}/promote/{first['id']}")).status_code == 201
        assert (await edge.get("/health", headers=DOMAIN)).json() == probe
        assert (await edge.post("/orders", headers=DOMAIN)).json()["id"] == 5

        assert (await api.post(f"/v10/projects/{project}/promote/{second['id']}")).status_code == 201
        answer = await edge.get("/health", headers=DOMAIN)
        assert (answer.status_code, answer.json()["error"]) == (503, "not_migrated")
        assert (await api.post(f"/v9/projects/{project}/rollback/{first['id']}")).status_code == 201
        assert (await edge.get("/health", headers=DOMAIN)).json()["rows"]["orders"] == 5
    finally:
        await api.aclose()
        await edge.aclose()
        await cloud.stop()
