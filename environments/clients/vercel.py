"""Vercel's API, as far as deployments and the pointer need it; and the edge, asked as a visitor would."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from environments.clients.deadline import OutOfTimeError, at_most, pause
from environments.clients.http import ApiError, JsonApi, TooLargeError, ask, masked, trust
from environments.clients.lazy_imports import httpx
from environments.errors import FailedError
from environments.ids import BranchId, DeploymentId, VariableId, VercelProject

DEFAULT_URL = "https://api.vercel.com"
_POLL = 0.1
_BUILD_DEADLINE = 900.0
_PROMOTE_DEADLINE = 120.0
_VISIT_TIMEOUT = 10.0
"""Seconds for a visit from its first to its last byte."""
_LARGEST_VISIT = 2**20
_BRANCH_ID = re.compile(r"br-[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_BRANCH_ID = 60
_LOG_LINES = 20
BYPASS_SECRET = "VERCEL_AUTOMATION_BYPASS_SECRET"  # noqa: S105 - the name of a variable


class DeploymentFailedError(FailedError):
    """A deployment could not be built; its log is in the message."""


class PromotionFailedError(FailedError):
    """The domain does not lead to the deployment that it should."""


@dataclass(frozen=True)
class File:
    """One file of a deployment: its path inside the app, sha1 and size in bytes."""

    path: str
    sha: str
    content: bytes


@dataclass(frozen=True)
class Project:
    """A Vercel project; `production` is the deployment that its production has, empty where it has none."""

    id: VercelProject
    name: str
    created_at: datetime
    production: DeploymentId

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read the API's project object."""
        production = ((found.get("targets") or {}).get("production") or {}).get("id")
        created = datetime.fromtimestamp(found["createdAt"] / 1000, UTC)
        return cls(found["id"], found["name"], created, DeploymentId(production or ""))


@dataclass(frozen=True)
class Variable:
    """An environment variable without its value; `updated_at` is in milliseconds since 1970.

    `managed` says that an integration owns it: Neon's connected account, or a database of Vercel's Storage.
    """

    id: VariableId
    key: str
    targets: tuple[str, ...]
    git_branch: str
    type: str
    created_at: datetime
    updated_at: int
    managed: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read one of the API's `envs`, which tells a single target as a word."""
        target = found.get("target") or []
        hint = found.get("contentHint") or {}
        return cls(
            found["id"],
            found["key"],
            (target,) if isinstance(target, str) else tuple(target),
            found.get("gitBranch") or "",
            found["type"],
            datetime.fromtimestamp(int(found.get("createdAt") or 0) / 1000, UTC),
            int(found.get("updatedAt") or 0),
            bool(found.get("configurationId")) or hint.get("type") == "integration-store-secret",
        )


@dataclass(frozen=True)
class Deployment:
    """A deployment: its host, what has become of it (READY, ERROR, …), and the marks that its maker gave it."""

    id: DeploymentId
    url: str
    state: str
    meta: Mapping[str, str]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Read the API's deployment object; a list of them names some of its keys otherwise."""
        state = found.get("readyState") or found.get("state") or ""
        return cls(found.get("id") or found["uid"], found["url"], state, found.get("meta") or {})


class Vercel(JsonApi):
    """A client for `VERCEL_API_URL` (default: Vercel's own) with the token in `VERCEL_API_TOKEN`."""

    def __init__(self) -> None:
        """Read address, token and team (`VERCEL_TEAM`, optional) from the environment."""
        team = os.environ.get("VERCEL_TEAM")
        url, token = os.environ.get("VERCEL_API_URL", DEFAULT_URL), os.environ["VERCEL_API_TOKEN"]
        super().__init__("Vercel", url, token, {"teamId": team} if team else None)

    def project(self, project: str) -> Project:
        """Return a project by id or name; NotFoundError if it isn't there."""
        return Project.of(self.call("GET", f"/v9/projects/{project}"))

    def variables(self, project: VercelProject) -> list[Variable]:
        """Return a project's environment variables, without the values that are sensitive."""
        return [Variable.of(found) for found in self.call("GET", f"/v10/projects/{project}/env")["envs"]]

    def write_variable(self, project: VercelProject, variable: VariableId, value: str) -> int:
        """Give a variable its value; return when Vercel says that this was, in milliseconds since 1970."""
        written = self.call("PATCH", f"/v9/projects/{project}/env/{variable}", json={"value": value})
        return int(written["updatedAt"])

    def domain(self, project: VercelProject) -> str:
        """Return the domain at which a project's production is verified: the first that redirects nowhere."""
        domains = self.call("GET", f"/v9/projects/{project}/domains")["domains"]
        for domain in domains:
            if domain.get("verified", True) and not domain.get("redirect") and not domain.get("gitBranch"):
                return str(domain["name"])
        raise PromotionFailedError(f"project {project} has no production domain")

    def deployment(self, deployment: DeploymentId) -> Deployment:
        """Return one deployment; NotFoundError if it was deleted."""
        return Deployment.of(self.call("GET", f"/v13/deployments/{deployment}"))

    def deployments(self, project: VercelProject, meta: Mapping[str, str]) -> list[Deployment]:
        """Return a project's deployments that carry all of `meta`, the newest first."""
        query = {"projectId": project, "limit": "20", **{f"meta-{key}": value for key, value in meta.items()}}
        return [Deployment.of(found) for found in self.call("GET", "/v6/deployments", query=query)["deployments"]]

    def deploy(
        self, project: VercelProject, files: list[File], env: Mapping[str, str], meta: Mapping[str, str]
    ) -> DeploymentId:
        """Stage a production deployment of `files` with its own `env`, upload what Vercel lacks; return its id."""
        found = self.project(project)
        listed = [{"file": file.path, "sha": file.sha, "size": len(file.content)} for file in files]
        body = _staged(found, env, meta) | {"files": listed}
        path, query = "/v13/deployments", {"skipAutoDetectionConfirmation": "1"}
        try:
            return DeploymentId(self.call("POST", path, query=query, json=body)["id"])
        except ApiError as error:
            if error.code != "missing_files":
                raise
        self._upload(files)
        return DeploymentId(self.call("POST", path, query=query, json=body)["id"])

    def redeploy(self, project: VercelProject, env: Mapping[str, str], meta: Mapping[str, str]) -> DeploymentId:
        """Stage what is production now once more, with its own `env`; return the new deployment's id.

        Raises DeploymentFailedError where the project has no production deployment yet.
        """
        found = self.project(project)
        if not found.production:
            raise DeploymentFailedError(
                f"Vercel project {found.name} has no production deployment to deploy anew: push to its production "
                "branch once, then run pulumi up again"
            )
        body = _staged(found, env, meta) | {"deploymentId": found.production}
        return DeploymentId(self.call("POST", "/v13/deployments", query={"forceNew": "1"}, json=body)["id"])

    def wait_until_built(self, deployment: DeploymentId, urls: Sequence[str]) -> Deployment:
        """Return the deployment once it is READY.

        Raises DeploymentFailedError with the end of its log, without the passwords of `urls`, if the build fails, or
        takes longer than 15 minutes.
        """
        deadline = time.monotonic() + _BUILD_DEADLINE
        while True:
            found = self.deployment(deployment)
            if found.state == "READY":
                return found
            if found.state in ("ERROR", "CANCELED") or time.monotonic() > deadline:
                log = self.log(deployment, urls)
                raise DeploymentFailedError(f"deployment {found.url} ended as {found.state}.{log}")
            pause(_POLL, f"Vercel still builds {found.url}")

    def log(self, deployment: DeploymentId, urls: Sequence[str]) -> str:
        """Return the last lines that a deployment wrote, indented below a heading, without the passwords of `urls`."""
        events = self.call("GET", f"/v3/deployments/{deployment}/events", query={"limit": "-1"})
        texts = [event.get("text") or event.get("payload", {}).get("text", "") for event in events]
        lines = [masked(line, urls) for text in texts for line in text.splitlines() if line.strip()]
        return "".join(f"\n    {line}" for line in ["Its log:", *lines[-_LOG_LINES:]]) if lines else ""

    def promote(self, project: VercelProject, deployment: DeploymentId, domain: str) -> None:
        """Give the production domains to a deployment that is built, and wait until `domain` leads to it.

        Nothing is built. Raises PromotionFailedError if that takes longer than 120 s, and OutOfTimeError where a time
        limit is used up before.
        """
        self.call("POST", f"/v10/projects/{project}/promote/{deployment}", json={})
        deadline = time.monotonic() + _PROMOTE_DEADLINE
        while self.serving(domain) != deployment:
            if time.monotonic() > deadline:
                raise PromotionFailedError(f"{domain} does not lead to {deployment} 120 s after its promotion")
            pause(_POLL, f"{domain} does not lead to {deployment} yet")

    def serving(self, domain: str) -> DeploymentId | None:
        """Return the id of the deployment that `domain` leads to, or None."""
        try:
            found = self.call("GET", f"/v4/aliases/{domain}").get("deploymentId")
        except ApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise
        return DeploymentId(found) if found else None

    def _upload(self, files: list[File]) -> None:
        for file in files:
            headers = {"x-vercel-digest": file.sha, "Content-Type": "application/octet-stream"}
            self.call("POST", "/v2/files", content=file.content, headers=headers)


def overlapping(
    variables: Sequence[Variable], *, key: str, targets: Collection[str], git_branch: str
) -> list[Variable]:
    """Return the project's `variables` that leave no room for one of this key, these targets and this git branch.

    Vercel takes one of a name per target, and per git branch where one is named (empty: none is).
    """
    return [
        found
        for found in variables
        if found.key == key and set(found.targets) & set(targets) and found.git_branch == git_branch
    ]


def _staged(project: Project, env: Mapping[str, str], meta: Mapping[str, str]) -> dict[str, Any]:
    """Return what every deployment of ours asks for: production's environment, and no domain until it is promoted."""
    return {
        "project": project.id,
        "name": project.name,
        "target": "production",
        "autoAssignCustomDomains": False,
        "env": dict(env),
        "build": {"env": dict(env)},
        "meta": dict(meta),
    }


@dataclass(frozen=True)
class Answer:
    """What a visitor got: the HTTP status, or 0 and the name of the failure; and the branch that the answer names.

    Nothing else of the answer is kept: an app may answer with anything, its passwords included.
    """

    status: int
    failure: str = ""
    branch: BranchId | None = None


def visit(host: str, path: str) -> Answer:
    """Return what a visitor of `https://host/path` gets, within 10 s and of at most 1 MiB. Redirects are not followed.

    `VERCEL_EDGE_URL` names another edge, which is then asked for `host`. `VERCEL_AUTOMATION_BYPASS_SECRET` lets the
    visitor past a project's deployment protection. Raises OutOfTimeError where a time limit is used up.
    """
    edge = os.environ.get("VERCEL_EDGE_URL")
    url = f"{edge}{path}" if edge else f"https://{host}{path}"
    secret = os.environ.get(BYPASS_SECRET)
    headers = {"Host": host, "Accept-Encoding": "identity"} | ({"x-vercel-protection-bypass": secret} if secret else {})
    doing = f"https://{host}{path} did not answer in time"
    left = at_most(_VISIT_TIMEOUT, doing)
    try:
        with httpx.Client(headers=headers, timeout=left, verify=trust(), follow_redirects=False) as client:
            request = client.build_request("GET", url)
            reply = ask(client, request, seconds=left, largest=_LARGEST_VISIT, doing=doing, decoded=False)
    except OutOfTimeError:
        raise
    except TooLargeError:
        return Answer(0, f"its answer is larger than {_LARGEST_VISIT // 2**20} MiB")
    except Exception as error:  # noqa: BLE001 - a stranger answers: whatever goes wrong is its failure, none of ours
        return Answer(0, type(error).__name__)
    return Answer(reply.status, branch=_branch_named(reply.json))


def _branch_named(answer: Any) -> BranchId | None:
    """Return the branch that a health answer names: what looks like an id of Neon's, and nothing else."""
    branch = answer.get("branch") if isinstance(answer, dict) else None
    if not isinstance(branch, str) or len(branch) > _LONGEST_BRANCH_ID or not _BRANCH_ID.fullmatch(branch):
        return None
    return BranchId(branch)
