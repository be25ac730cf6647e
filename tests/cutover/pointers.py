"""Pointers of the tests: production's, leading to a branch that is there, with what a test says of it."""

from __future__ import annotations

from typing import Any

from environments.clients.neon import Address
from environments.cutover.pointer import BranchToServe, HealthCheck, Lineage, Pointer, StagedDeployment
from environments.cutover.served import ServedBranch
from environments.database.marker import Claim
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    DeploymentId,
    EndpointId,
    Fingerprint,
    NeonProject,
    RoleName,
    StackName,
    Transaction,
    VercelProject,
)
from environments.plan.topology import Guard, ReviewSummary

ROLES = (RoleName("app_prod_1"), RoleName("app_prod_2"))
CLAIM = Claim(StackName("prod"), min_cu=1, max_cu=4, suspend_seconds=-1, protected=False)
GUARD = Guard(moves="any", live=False, rows_left_behind=0, fence_first=True, accepted=None)
NO_LINEAGE = Lineage(source=None, fork=None, lsn=None, copy=None)
SUMMARY = ReviewSummary(
    target="production",
    strategy="Clone & Promote",
    source="dev (stack dev)",
    moment="",
    compute="1 to 4 CU, never suspends",
    build="a build with the new URLs, staged and probed before it gets the domain",
)


def served_branch(key: str, claim: Claim | None = None) -> ServedBranch:
    """A branch called `key` that is there, with ids made of its key."""
    return branch(key, claim=claim).made()


def branch(key: str, **changes: Any) -> BranchToServe:
    """A branch that is to serve: by default there, with ids made of its key."""
    values: dict[str, Any] = {
        "key": BranchKey(key),
        "project": NeonProject("frost"),
        "id": BranchId(f"br-{key}"),
        "endpoint": EndpointId(f"ep-{key}"),
        "database": DatabaseName("neondb"),
        "owner": RoleName("neondb_owner"),
        "role": ROLES[0],
        "roles": ROLES,
        "fingerprint": Fingerprint(f"login of {key}"),
        "baseline": Transaction("700"),
        "claim": None,
    }
    return BranchToServe(**(values | changes))


def at(address: Address, role: RoleName, baseline: Transaction, **changes: Any) -> BranchToServe:
    """A branch that is really there, called by its id."""
    given = {"project": address.project, "id": address.branch, "endpoint": address.endpoint}
    given |= {"database": address.database, "owner": address.owner, "baseline": baseline}
    return branch(str(address.branch), **(given | {"role": role, "roles": (role, role)} | changes))


def pointer(to: BranchToServe | str, **changes: Any) -> Pointer:
    """A pointer of production to a branch, or to one called so."""
    led = branch(to) if isinstance(to, str) else to
    staged = StagedDeployment(
        id=DeploymentId(f"dpl_{led.key}"),
        url=f"{led.key}.vercel.app",
        redeploys=False,
        health=HealthCheck(path="/health", status=200),
    )
    values: dict[str, Any] = {
        "vercel": VercelProject("prj_1"),
        "serve": led.key,
        "branch": led,
        "lineage": NO_LINEAGE,
        "restore_point": None,
        "app_url": f"postgresql://app:secret@{led.key}/neondb",
        "deployment": staged,
        "shuts_logins": False,
        "visited": {},
        "summary": SUMMARY,
        "guard": GUARD,
    }
    return Pointer(**(values | changes))
