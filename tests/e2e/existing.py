"""A Neon and a Vercel project as people have them who never heard of this program: made through the two APIs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from environments.clients.app_files import app_files
from localcloud.cloud import ROOT, Cloud

PATIENCE = 60.0


@dataclass(frozen=True)
class Existing:
    """The two projects, and what a person does to them."""

    cloud: Cloud
    neon: str
    vercel: str
    domain: str
    branches: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, cloud: Cloud, name: str) -> Existing:
        """Make both projects; Neon's comes with its default branch, `main`, and a compute for it."""
        neon = ask_neon(cloud, "POST", "/projects", project={"name": name, "pg_version": 18})
        vercel = ask_vercel(cloud, "POST", "/v11/projects", {"name": name})
        domains = ask_vercel(cloud, "GET", f"/v9/projects/{vercel['id']}/domains")["domains"]
        main = {neon["branch"]["name"]: neon["branch"]["id"]}
        return cls(cloud, neon["project"]["id"], vercel["id"], domains[0]["name"], main)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Ask Neon's API about the project."""
        return ask_neon(self.cloud, method, f"/projects/{self.neon}{path}", **body)

    def branch(self, name: str, parent: str) -> None:
        """Clone a branch, with a compute."""
        wanted = {"name": name, "parent_id": self.branches[parent]}
        made = self.ask("POST", "/branches", branch=wanted, endpoints=[{"type": "read_write"}])
        self.branches[name] = made["branch"]["id"]

    def compute(self, branch: str) -> dict[str, Any]:
        """Return the branch's compute."""
        found: dict[str, Any] = self.ask("GET", f"/branches/{self.branches[branch]}/endpoints")["endpoints"][0]
        return found

    def url(self, branch: str, role: str = "neondb_owner") -> str:
        """Return the direct URL of a branch, as Neon's console shows it."""
        of = f"branch_id={self.branches[branch]}&database_name=neondb&role_name={role}"
        return str(self.ask("GET", f"/connection_uri?{of}")["uri"])

    def variable(self, key: str, value: str, *targets: str, **more: Any) -> str:
        """Make an environment variable and return its id."""
        body = {"key": key, "value": value, "target": list(targets), "type": "encrypted", **more}
        made = ask_vercel(self.cloud, "POST", f"/v10/projects/{self.vercel}/env", body)
        return str(made["created"]["id"])

    def forget(self, variable: str) -> None:
        """Delete a variable."""
        ask_vercel(self.cloud, "DELETE", f"/v9/projects/{self.vercel}/env/{variable}")

    def variables(self) -> dict[str, dict[str, Any]]:
        """Return the project's variables by id, with the values that may be read."""
        found = ask_vercel(self.cloud, "GET", f"/v10/projects/{self.vercel}/env?decrypt=true")["envs"]
        return {variable["id"]: variable for variable in found}

    def deploy(self) -> str:
        """Deploy the app to production with the variables that are there; return the deployment's id."""
        manifest = []
        for file in app_files(ROOT / "app"):
            manifest.append({"file": file.path, "sha": file.sha, "size": len(file.content)})
            ask_vercel(self.cloud, "POST", "/v2/files", content=file.content, headers={"x-vercel-digest": file.sha})
        body = {"name": "app", "project": self.vercel, "target": "production", "files": manifest}
        id_ = ask_vercel(self.cloud, "POST", "/v13/deployments", body)["id"]
        deadline = time.monotonic() + PATIENCE
        while True:
            found = ask_vercel(self.cloud, "GET", f"/v13/deployments/{id_}")
            if found["aliasAssigned"]:
                return str(id_)
            assert time.monotonic() < deadline, found["readyState"]
            time.sleep(0.05)


def ask_neon(cloud: Cloud, method: str, path: str, **body: Any) -> Any:
    """Ask Neon's API."""
    headers = {"Authorization": f"Bearer {cloud.neon_api_key}"}
    answer = httpx.request(method, f"{cloud.neon_api_host}{path}", headers=headers, json=body or None, timeout=60)
    assert answer.is_success, answer.text
    return answer.json()


def ask_vercel(
    cloud: Cloud, method: str, path: str, json: Any = None, *, headers: dict[str, str] | None = None, **more: Any
) -> Any:
    """Ask Vercel's API."""
    own = {"Authorization": f"Bearer {cloud.vercel_api_token}", **(headers or {})}
    answer = httpx.request(method, f"{cloud.vercel_api_url}{path}", headers=own, json=json, timeout=60, **more)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None
