"""Where the pointer is to lead, as a Cutover is given it; and what a Cutover notes once it leads there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from environments.clients.neon import Address
from environments.cutover.served import ServedBranch
from environments.database.marker import Claim
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeploymentId,
    EndpointId,
    Fingerprint,
    Lsn,
    NeonProject,
    RoleName,
    Transaction,
    VercelProject,
)
from environments.migrations.restore_point import RestorePoint
from environments.plan.topology import Guard, ReviewSummary
from environments.props import UNKNOWN, Secret, Unknown, Unwatched, known


@dataclass(frozen=True, kw_only=True)
class BranchToServe:
    """The branch that is to serve. A preview doesn't know the ids of one that is still to be made.

    `fingerprint` and `baseline` are those of its login; `claim` is what is needed of a branch that another stack owns.
    `keeps_logins` and `shut_out` say which logins stay open on it, as in `ServedBranch`.
    """

    key: BranchKey
    project: Unwatched[NeonProject | Unknown]
    id: BranchId | Unknown
    endpoint: Unwatched[EndpointId | Unknown]
    database: Unwatched[DatabaseName]
    owner: Unwatched[RoleName]
    role: Unwatched[RoleName]
    roles: Unwatched[tuple[RoleName, RoleName]]
    fingerprint: Fingerprint | Unknown
    baseline: Transaction | Unknown
    claim: Claim | None
    keeps_logins: Unwatched[bool] = False
    shut_out: Unwatched[tuple[RoleName, ...] | Unknown] = ()

    @property
    def address(self) -> Address | Unknown:
        """Where its database is, as soon as all of that is known."""
        project, branch, endpoint = self.project, self.id, self.endpoint
        if isinstance(project, Unknown) or isinstance(branch, Unknown) or isinstance(endpoint, Unknown):
            return UNKNOWN
        return Address(project, branch, endpoint, self.database, self.owner)

    def made(self) -> ServedBranch:
        """Return the branch, once it is there. Raises NotKnownError in a preview that doesn't know it."""
        return ServedBranch(
            address=known(self.address, f"where {self.key} is"),
            key=self.key,
            role=self.role,
            roles=self.roles,
            baseline=known(self.baseline, f"the baseline of {self.key}"),
            claim=self.claim,
            keeps_logins=self.keeps_logins,
            shut_out=() if isinstance(self.shut_out, Unknown) else self.shut_out,
        )


@dataclass(frozen=True, kw_only=True)
class CopiedFrom:
    """What a branch was filled from by dump and restore, and in how many seconds (0: not known)."""

    source_branch: BranchId | Unknown | None
    seconds: float | Unknown


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Which of the environment's own branches the branch was cloned from, None for none.

    `fork` is the transaction of `source` from which on the branch can miss rows. `lsn` is as of when it was made, None
    for "as of then". `copy` is None for a clone.
    """

    source: BranchKey | None
    fork: Transaction | Unknown | None
    lsn: Lsn | None
    copy: CopiedFrom | None


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """The path to ask for, the HTTP status that means healthy, and whether the answer comes from the `database`."""

    path: str
    status: int
    database: bool = True


@dataclass(frozen=True, kw_only=True)
class StagedDeployment:
    """The deployment that is to have the domain, its own host, and whether pushes deploy as well."""

    id: DeploymentId | Unknown
    url: Unwatched[str | Unknown]
    redeploys: Unwatched[bool]
    health: Unwatched[HealthCheck]


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """Where the pointer is to lead.

    `serve` is what `pulumi config set serve` takes to have it there. `visited` are the branches of other stacks that it
    ever was to lead to, by their ids. `restore_point` is the last that a migration made. `app_url` is the app's URL of
    the database, to keep its password out of a log that is shown. `shuts_logins` says that the branch was there before
    the environment, and that its logins don't stay open. Only production has a deployment and a guard.
    """

    vercel: Unwatched[VercelProject | Unknown]
    serve: Unwatched[str]
    branch: BranchToServe
    lineage: Unwatched[Lineage]
    restore_point: Unwatched[RestorePoint | Unknown | None]
    app_url: Secret[Unwatched[str | Unknown]]
    deployment: StagedDeployment | None
    shuts_logins: Unwatched[bool]
    visited: Unwatched[Mapping[BranchId, ServedBranch] | Unknown]
    summary: Unwatched[ReviewSummary]
    guard: Unwatched[Guard | None]


@dataclass(frozen=True, kw_only=True)
class Served:
    """What the stack exports of its pointer. `deployment` is empty where pushes deploy, `since` is in RFC 3339."""

    branch: BranchKey
    id: BranchId
    deployment: DeploymentId
    since: str


@dataclass(frozen=True, kw_only=True)
class Service(Served):
    """With what a branch came to serve last."""

    baseline: Transaction
    credentials: Fingerprint


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """What the last move left undone: branches, by their ids, to which the app may still write; and why."""

    fence: Mapping[str, ServedBranch]
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where the pointer leads since the last move, and how every branch that it ever led to served, by their ids.

    `domain` is where the move was verified, empty where there is no deployment.
    """

    served: Served
    domain: str
    history: Mapping[str, Service]
    unfinished: Unfinished | None
