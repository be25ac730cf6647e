"""Deployment: the app, built with one database in its environment, staged beside production until the cutover.

Not the provider's resource: that one builds again on a rollback, waits without end for a domain that a staged
deployment never gets, and forgets a build that failed. Vercel captures the variables when it makes a deployment, so a
deployment never changes its database. This resource remembers what it built for which branch, and picks the right one:

- the pointer moves to a branch that served before with the same credentials: that deployment, nothing is built;
- the app or the credentials changed: a new build;
- a branch without a deployment: a new build;
- migrations wait for a review of their rehearsal: the app that they belong to waits with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from environments.clients.app_files import app_digest, app_files
from environments.clients.http import NotFoundError
from environments.clients.vercel import DeploymentFailedError, Vercel
from environments.database.marker import last_served
from environments.ids import BranchId, DeploymentId, Fingerprint, NeonProject, VercelProject
from environments.props import Secret, Unknown, Unwatched, known
from environments.resources.typed import Checked, State, Typed

_KEPT = 50
"""Deployments remembered; the oldest are forgotten here, not deleted at Vercel."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The app at `path`, to be deployed with the URLs of `branch`; `fingerprint` tells when the credentials change.

    `digest` tells when the app's files change. With an empty `path` and `digest`, what is in production already is
    deployed once more, as a git-connected project needs it. `waiting` are migrations that were rehearsed only.
    """

    project: Unwatched[VercelProject | Unknown]
    neon_project: Unwatched[NeonProject | Unknown]
    path: Unwatched[str]
    digest: str
    branch: BranchId | Unknown
    pooled_url: Secret[Unwatched[str | Unknown]]
    direct_url: Secret[Unwatched[str | Unknown]]
    fingerprint: Fingerprint | Unknown
    waiting: Unwatched[tuple[str, ...] | Unknown]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is inside a deployment: an app with one login of one branch."""

    branch: BranchId
    fingerprint: Fingerprint
    digest: str


@dataclass(frozen=True, kw_only=True)
class Built(Contents):
    """A deployment that this resource built or found."""

    deployment: DeploymentId


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The deployment for the served branch, its host, and all that are remembered, the newest last."""

    deployment: DeploymentId
    url: str
    built: tuple[Built, ...]


class Deployment(Typed[Inputs, Outputs]):
    """Builds, or finds what was built; never deletes a deployment, since each is a way back."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Keep the app as it is while migrations wait that it may need."""
        if old is None or new.waiting == ():
            return Checked(new)
        if isinstance(new.waiting, Unknown) or (old.branch, old.fingerprint) == (new.branch, new.fingerprint):
            return Checked(replace(new, path=old.path, digest=old.digest))
        refusal = (
            f"Migrations wait for a review (stop_after_rehearsal): {', '.join(new.waiting)}. The app that comes with "
            "them can't be deployed for another branch or another login until they have run. Let them run first, or "
            "take them out of the folder"
        )
        return Checked.of(new, refusal)

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Build the first deployment, or take over one that an earlier create started."""
        return "deployment", _deployed(new, (), moved=True)

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Pick or build the deployment for what is served next."""
        return _deployed(new, old.outputs.built, moved=old.inputs.branch != new.branch)


def _deployed(new: Inputs, built: tuple[Built, ...], *, moved: bool) -> Outputs:
    wanted = Contents(
        branch=known(new.branch, "the branch"),
        fingerprint=known(new.fingerprint, "the login's fingerprint"),
        digest=new.digest,
    )
    with Vercel() as vercel:
        fitting = [each for each in reversed(built) if _fits(each, wanted, moved=moved)]
        if moved and fitting:
            served = last_served(known(new.direct_url, "the branch's URL"), wanted.branch)
            fitting = [each for each in fitting if each.deployment == served]
        deployment = _alive(vercel, fitting) or _started(vercel, new, wanted) or _built(vercel, new, wanted)
        url = vercel.wait_until_built(deployment, [known(new.pooled_url, "the branch's URL")]).url
    others = [each for each in built if each.deployment != deployment]
    made = Built(branch=wanted.branch, fingerprint=wanted.fingerprint, digest=wanted.digest, deployment=deployment)
    this = next((each for each in built if each.deployment == deployment), made)
    return Outputs(deployment=deployment, url=url, built=(*others, this)[-_KEPT:])


def _fits(built: Built, wanted: Contents, *, moved: bool) -> bool:
    """Tell whether a deployment may serve: a branch that returns takes what served it, whatever the app is now."""
    same = built.branch == wanted.branch and built.fingerprint == wanted.fingerprint
    return same and (moved or built.digest == wanted.digest)


def _alive(vercel: Vercel, built: Iterable[Built]) -> DeploymentId | None:
    """Return the first of `built` that Vercel still has."""
    for each in built:
        try:
            found = vercel.deployment(each.deployment)
        except NotFoundError:
            continue
        if found.state == "READY":
            return each.deployment
    return None


def _started(vercel: Vercel, new: Inputs, wanted: Contents) -> DeploymentId | None:
    """Return a deployment with these contents that an update started and didn't write down."""
    for found in vercel.deployments(known(new.project, "the Vercel project"), _meta(new, wanted)):
        if found.state in ("QUEUED", "INITIALIZING", "BUILDING", "READY"):
            return found.id
    return None


def _built(vercel: Vercel, new: Inputs, wanted: Contents) -> DeploymentId:
    pooled_url, direct_url = known(new.pooled_url, "the branch's URL"), known(new.direct_url, "the branch's URL")
    env = {"DATABASE_URL": pooled_url, "DATABASE_URL_UNPOOLED": direct_url}
    project, meta = known(new.project, "the Vercel project"), _meta(new, wanted)
    if not new.path:
        return vercel.redeploy(project, env, meta)
    folder = Path(new.path)
    if app_digest(folder) != new.digest:
        raise DeploymentFailedError(f"the files in {folder} changed during this update: run pulumi up again")
    return vercel.deploy(project, app_files(folder), env, meta)


def _meta(new: Inputs, wanted: Contents) -> Mapping[str, str]:
    """Return the marks by which a deployment with these contents is found."""
    return {
        "neonProject": known(new.neon_project, "the Neon project"),
        "neonBranch": wanted.branch,
        "credentials": wanted.fingerprint,
        "app": wanted.digest,
    }
