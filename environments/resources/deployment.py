"""Deployment: the app, built with one database in its environment, staged beside production until the cutover.

Not the provider's resource: that one builds again on a rollback, waits without end for a domain that a staged
deployment never gets, and forgets a build that failed. A deployment captures its variables when it is made, so which
database it uses never changes; this resource remembers what it built for which branch and picks the right one:

- the pointer moves to a branch that was served before with the same credentials: that deployment, nothing is built;
- the app or the credentials changed: a new build;
- a branch without a deployment: a new build;
- migrations wait for a review of their rehearsal: the app that they belong to waits with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ResourceProvider,
    UpdateResult,
)

from environments.clients.app_files import app_digest, app_files
from environments.clients.http import NotFoundError
from environments.clients.postgres import connected, user_of
from environments.clients.vercel import DeploymentFailedError, Vercel
from environments.database.marker import read_marker
from environments.ids import BranchId, DeploymentId
from environments.program.own import LegacyResource

_KEPT = 50
"""Deployments remembered; the oldest are forgotten here, not deleted at Vercel."""


class DeploymentProvider(ResourceProvider):
    """Builds, or finds what was built; never deletes a deployment, since each is a way back."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Keep the app as it is while migrations wait that it may need."""
        if not _olds or news["waiting"] == []:
            return CheckResult(news, [])
        kept = {key: _olds[key] for key in ("path", "digest")}
        if all(_olds.get(key) == news[key] for key in ("branch", "fingerprint")) or not isinstance(
            news["waiting"], list
        ):
            return CheckResult(news | kept, [])
        reason = (
            f"{', '.join(news['waiting'])} wait for their review (stop_after_rehearsal), and the app that comes with "
            "them can't be deployed for another branch or another login before they ran: let them run first, or take "
            "them out of the folder"
        )
        return CheckResult(news, [CheckFailure("", reason)])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Build the first deployment; a create that was cut short is found by its marks and taken over."""
        return CreateResult("deployment", _deploy(props, [], moved=True))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another branch, other credentials or another app."""
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in ("branch", "fingerprint", "digest")))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Pick or build the deployment for what is served next."""
        return UpdateResult(_deploy(_news, _olds["built"], moved=_olds["branch"] != _news["branch"]))


class Deployment(LegacyResource):
    """The deployment that the served branch's domain is to lead to."""

    deployment: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: pulumi.Input[str],
        neon: pulumi.Input[str],
        path: str,
        digest: str,
        branch: pulumi.Input[str],
        pooled_url: pulumi.Input[str],
        direct_url: pulumi.Input[str],
        fingerprint: pulumi.Input[str],
        waiting: pulumi.Input[list[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Deploy the app at `path` with the URLs of `branch`; `fingerprint` tells when the credentials change.

        `neon` is the Neon project of the branch; the deployment bears both ids as its marks. `waiting` are migrations
        that were rehearsed and not run yet.

        With an empty `path` and `digest` what is production already is deployed anew, as a git-connected project needs.
        """
        props = {
            "project": project,
            "neon": neon,
            "path": path,
            "digest": digest,
            "branch": branch,
            "pooled_url": pooled_url,
            "direct_url": direct_url,
            "fingerprint": fingerprint,
            "waiting": waiting,
            "deployment": None,
            "url": None,
            "built": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["pooled_url", "direct_url"])
        super().__init__(DeploymentProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def last_served(url: str, branch: BranchId) -> DeploymentId | None:
    """Return the deployment that served `branch` last with the login of `url`, as the branch itself has noted it.

    Raises NotReadyError if the branch takes no connection.
    """
    with connected(url) as connection:
        marker = read_marker(connection, [user_of(url)], branch)
    return marker.served_by if marker else None


def _deploy(props: dict[str, Any], built: list[dict[str, str]], *, moved: bool) -> dict[str, Any]:
    with Vercel() as vercel:
        marks = {key: props[key] for key in ("branch", "fingerprint", "digest")}
        fitting = [entry for entry in reversed(built) if _fits(entry, marks, moved=moved)]
        if moved and fitting:
            served = last_served(props["direct_url"], props["branch"])
            fitting = [entry for entry in fitting if entry["deployment"] == served]
        found = _alive(vercel, fitting)
        deployment = found or _adopted(vercel, props, marks) or _built(vercel, props, marks)
        url = vercel.wait_until_built(DeploymentId(deployment), [props["pooled_url"]]).url
    others = [entry for entry in built if entry["deployment"] != deployment]
    entry = next((entry for entry in built if entry["deployment"] == deployment), marks | {"deployment": deployment})
    return props | {"deployment": deployment, "url": url, "built": [*others, entry][-_KEPT:]}


def _fits(entry: dict[str, str], marks: dict[str, str], *, moved: bool) -> bool:
    """Tell whether a deployment may serve: a returning branch takes what served it, whatever the app is now."""
    same = entry["branch"] == marks["branch"] and entry["fingerprint"] == marks["fingerprint"]
    return same and (moved or entry["digest"] == marks["digest"])


def _alive(vercel: Vercel, entries: list[dict[str, Any]]) -> str | None:
    """Return the newest of `entries` that is still there."""
    for entry in entries:
        try:
            found = vercel.deployment(entry["deployment"])
        except NotFoundError:
            continue
        if found.state == "READY":
            return str(entry["deployment"])
    return None


def _adopted(vercel: Vercel, props: dict[str, Any], marks: dict[str, str]) -> str | None:
    """Return a deployment that bears these marks: one whose making was cut short before it was written down."""
    for found in vercel.deployments(props["project"], _meta(props, marks)):
        if found.state in ("QUEUED", "INITIALIZING", "BUILDING", "READY"):
            return str(found.id)
    return None


def _built(vercel: Vercel, props: dict[str, Any], marks: dict[str, str]) -> str:
    env = {"DATABASE_URL": props["pooled_url"], "DATABASE_URL_UNPOOLED": props["direct_url"]}
    if not props["path"]:
        return vercel.redeploy(props["project"], env, _meta(props, marks))
    folder = Path(props["path"])
    if app_digest(folder) != props["digest"]:
        raise DeploymentFailedError(f"the files in {folder} changed while this ran: run pulumi up again")
    return vercel.deploy(props["project"], app_files(folder), env, _meta(props, marks))


def _meta(props: dict[str, Any], marks: dict[str, str]) -> dict[str, str]:
    branch = {"neonProject": props["neon"], "neonBranch": marks["branch"]}
    return branch | {"credentials": marks["fingerprint"], "app": marks["digest"]}
