"""Vercel's API, as far as deployments and the pointer need it; and the edge, asked as a visitor would."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from environments.clients.http import ApiError, JsonApi, trust
from environments.clients.lazy_imports import httpx

DEFAULT_URL = "https://api.vercel.com"
_POLL = 0.1
_BUILD_DEADLINE = 900.0
_PROMOTE_DEADLINE = 120.0
_PROBE_TIMEOUT = 10.0
_LOG_LINES = 20
_PASSWORD = re.compile(r"(://[^:/@\s]+:)[^@/\s]+@")
BYPASS_SECRET = "VERCEL_AUTOMATION_BYPASS_SECRET"  # noqa: S105 - the name of a variable


class DeploymentFailedError(Exception):
    """A deployment could not be built; its log is in the message."""


class PromotionFailedError(Exception):
    """The domain does not lead to the deployment that it should."""


@dataclass(frozen=True)
class File:
    """One file of a deployment: its path inside the app, sha1 and size in bytes."""

    path: str
    sha: str
    content: bytes


class Vercel(JsonApi):
    """A client for `VERCEL_API_URL` (default: Vercel's own) with the token in `VERCEL_API_TOKEN`."""

    def __init__(self) -> None:
        """Read address, token and team (`VERCEL_TEAM`, optional) from the environment."""
        team = os.environ.get("VERCEL_TEAM")
        url, token = os.environ.get("VERCEL_API_URL", DEFAULT_URL), os.environ["VERCEL_API_TOKEN"]
        super().__init__("Vercel", url, token, {"teamId": team} if team else None)

    def project(self, project: str) -> dict[str, Any]:
        """Return a project by id or name; NotFoundError if it isn't there."""
        found: dict[str, Any] = self.call("GET", f"/v9/projects/{project}")
        return found

    def variables(self, project: str) -> list[dict[str, Any]]:
        """Return a project's environment variables, without the values that are sensitive."""
        found: list[dict[str, Any]] = self.call("GET", f"/v10/projects/{project}/env")["envs"]
        return found

    def write_variable(self, project: str, variable: str, value: str) -> int:
        """Give a variable its value; return when Vercel says that this was, in milliseconds since 1970."""
        written = self.call("PATCH", f"/v9/projects/{project}/env/{variable}", json={"value": value})
        return int(written["updatedAt"])

    def domain(self, project: str) -> str:
        """Return the domain at which a project's production is verified: the first that redirects nowhere."""
        domains = self.call("GET", f"/v9/projects/{project}/domains")["domains"]
        for domain in domains:
            if domain.get("verified", True) and not domain.get("redirect") and not domain.get("gitBranch"):
                return str(domain["name"])
        raise PromotionFailedError(f"project {project} has no production domain")

    def deployment(self, deployment: str) -> dict[str, Any]:
        """Return one deployment; NotFoundError if it was deleted."""
        found: dict[str, Any] = self.call("GET", f"/v13/deployments/{deployment}")
        return found

    def deployments(self, project: str, meta: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return a project's deployments that carry all of `meta`, the newest first."""
        query = {"projectId": project, "limit": "20", **{f"meta-{key}": value for key, value in meta.items()}}
        found: list[dict[str, Any]] = self.call("GET", "/v6/deployments", query=query)["deployments"]
        return found

    def deploy(self, project: str, files: list[File], env: Mapping[str, str], meta: Mapping[str, str]) -> str:
        """Stage a production deployment of `files` with its own `env`, upload what Vercel lacks; return its id."""
        found = self.project(project)
        listed = [{"file": file.path, "sha": file.sha, "size": len(file.content)} for file in files]
        body = _staged(found, env, meta) | {"files": listed}
        path, query = "/v13/deployments", {"skipAutoDetectionConfirmation": "1"}
        try:
            return str(self.call("POST", path, query=query, json=body)["id"])
        except ApiError as error:
            if error.code != "missing_files":
                raise
        self._upload(files)
        return str(self.call("POST", path, query=query, json=body)["id"])

    def redeploy(self, project: str, env: Mapping[str, str], meta: Mapping[str, str]) -> str:
        """Stage what is production now once more, with its own `env`; return the new deployment's id.

        Raises DeploymentFailedError where the project has no production deployment yet.
        """
        found = self.project(project)
        current = ((found.get("targets") or {}).get("production") or {}).get("id")
        if not current:
            raise DeploymentFailedError(
                f"Vercel project {found['name']} has no production deployment to deploy anew: push to its production "
                "branch once, then run pulumi up again"
            )
        body = _staged(found, env, meta) | {"deploymentId": current}
        return str(self.call("POST", "/v13/deployments", query={"forceNew": "1"}, json=body)["id"])

    def wait_until_built(self, deployment: str, urls: Sequence[str]) -> dict[str, Any]:
        """Return the deployment once it is READY.

        Raises DeploymentFailedError with the end of its log, without the passwords of `urls`, if the build fails, or
        takes longer than 15 minutes.
        """
        deadline = time.monotonic() + _BUILD_DEADLINE
        while True:
            found = self.deployment(deployment)
            state = found["readyState"]
            if state == "READY":
                return found
            if state in ("ERROR", "CANCELED") or time.monotonic() > deadline:
                raise DeploymentFailedError(f"deployment {found['url']} ended as {state}.{self.log(deployment, urls)}")
            time.sleep(_POLL)

    def log(self, deployment: str, urls: Sequence[str]) -> str:
        """Return the last lines that a deployment wrote, indented below a heading, without the passwords of `urls`."""
        events = self.call("GET", f"/v3/deployments/{deployment}/events", query={"limit": "-1"})
        texts = [event.get("text") or event.get("payload", {}).get("text", "") for event in events]
        lines = [masked(line, urls) for text in texts for line in text.splitlines() if line.strip()]
        return "".join(f"\n    {line}" for line in ["Its log:", *lines[-_LOG_LINES:]]) if lines else ""

    def promote(self, project: str, deployment: str, domain: str) -> None:
        """Give the production domains to a deployment that is built, and wait until `domain` leads to it.

        Nothing is built. Raises PromotionFailedError if that takes longer than 120 s.
        """
        self.call("POST", f"/v10/projects/{project}/promote/{deployment}", json={})
        deadline = time.monotonic() + _PROMOTE_DEADLINE
        while self.serving(domain) != deployment:
            if time.monotonic() > deadline:
                raise PromotionFailedError(f"{domain} does not lead to {deployment} 120 s after its promotion")
            time.sleep(_POLL)

    def serving(self, domain: str) -> str | None:
        """Return the id of the deployment that `domain` leads to, or None."""
        try:
            found = self.call("GET", f"/v4/aliases/{domain}").get("deploymentId")
        except ApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise
        return str(found) if found else None

    def _upload(self, files: list[File]) -> None:
        for file in files:
            headers = {"x-vercel-digest": file.sha, "Content-Type": "application/octet-stream"}
            self.call("POST", "/v2/files", content=file.content, headers=headers)


def overlapping(variables: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the project's `variables` that leave no room for the one with the inputs `wanted`.

    Vercel takes one of a name per target, and per git branch where one is named.
    """
    return [
        found
        for found in variables
        if found["key"] == wanted["key"]
        and set(targets_of(found)) & set(wanted["targets"])
        and (found.get("gitBranch") or None) == (wanted.get("gitBranch") or None)
    ]


def targets_of(variable: Mapping[str, Any]) -> list[str]:
    """Return the targets of a variable, which Vercel tells as a list or, if there is one, as a word."""
    target = variable.get("target") or []
    return [target] if isinstance(target, str) else list(target)


def masked(text: str, urls: Sequence[str]) -> str:
    """Return `text` without the passwords of `urls`, wherever they stand, and without the one of any other URL."""
    for url in urls:
        if password := httpx.URL(url).password:
            text = text.replace(password, "[secret]")
    return _PASSWORD.sub(r"\1[secret]@", text)


def _staged(project: Mapping[str, Any], env: Mapping[str, str], meta: Mapping[str, str]) -> dict[str, Any]:
    """Return what every deployment of ours asks for: production's environment, and no domain until it is promoted."""
    return {
        "project": project["id"],
        "name": project["name"],
        "target": "production",
        "autoAssignCustomDomains": False,
        "env": dict(env),
        "build": {"env": dict(env)},
        "meta": dict(meta),
    }


@dataclass(frozen=True)
class Answer:
    """What a visitor got: the HTTP status, or 0 and the name of the failure; and the branch that the answer names."""

    status: int
    failure: str = ""
    branch: str | None = None


def visit(host: str, path: str) -> Answer:
    """Return what a visitor of `https://host/path` gets.

    `VERCEL_EDGE_URL` names another edge, which is then asked for `host`. `VERCEL_AUTOMATION_BYPASS_SECRET` lets the
    visitor past a project's deployment protection.
    """
    edge = os.environ.get("VERCEL_EDGE_URL")
    url = f"{edge}{path}" if edge else f"https://{host}{path}"
    secret = os.environ.get(BYPASS_SECRET)
    headers = {"Host": host} | ({"x-vercel-protection-bypass": secret} if secret else {})
    try:
        answer = httpx.get(url, headers=headers, timeout=_PROBE_TIMEOUT, verify=trust())
    except httpx.TransportError as error:
        return Answer(0, type(error).__name__)
    try:
        told = answer.json()
    except ValueError:
        told = None
    branch = told.get("branch") if isinstance(told, dict) else None
    return Answer(answer.status_code, branch=branch if isinstance(branch, str) else None)
