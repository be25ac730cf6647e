"""What must exist for one environment: frozen values, worked out before anything is made. No Pulumi here.

The graph that `components.environment` makes of it is the same for every strategy:

    Origin -> Branch -> Endpoint (-> Transfer) -> Access   (per owned branch)
    Access of the served branch -> Ready -> Deployment (staged) -> Cutover -> env vars
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DefaultBranch:
    """The parent is the Neon project's default branch."""


@dataclass(frozen=True)
class OwnBranch:
    """The parent is another branch of this environment."""

    name: str


@dataclass(frozen=True)
class ForeignBranch:
    """The parent belongs to another stack; `id` is None while that stack exports no such branch."""

    stack: str
    name: str
    id: str | None


Parent = DefaultBranch | OwnBranch | ForeignBranch


@dataclass(frozen=True)
class Compute:
    """A compute's size in CU, and the idle seconds after which it suspends (-1: never)."""

    min_cu: float
    max_cu: float
    suspend_seconds: int


@dataclass(frozen=True)
class BranchPlan:
    """One branch that the environment owns; `at` is (unix seconds, LSN), at most one of them set.

    `project` is the Neon project that it lies in, None for the environment's own. One that is `copied` lies in another
    than its parent's, and is filled from it by dump and restore.
    """

    name: str
    parent: Parent
    at: tuple[int | None, str | None]
    compute: Compute
    project: str | None = None
    copied: bool = False


@dataclass(frozen=True)
class NewProjects:
    """The Neon and the Vercel project are made by this stack."""

    name: str
    region: str
    postgres: int


@dataclass(frozen=True)
class ExistingProjects:
    """Both projects exist already: adopted by id, or made by another stack."""

    neon: str
    vercel: str


@dataclass(frozen=True)
class AppPlan:
    """The app to deploy: a folder below the program's and its files' digest (both empty for a redeploy), its health."""

    path: str
    digest: str
    health_path: str
    health_status: int


ANY_ROWS = -1
"""Any number of rows, also one that can't be told."""


@dataclass(frozen=True)
class Guard:
    """What a move of the pointer may cost; `accepted` names a branch and how many rows of it, or ANY_ROWS."""

    live: bool
    rows_left_behind: int
    fence_first: bool
    accepted: tuple[str, int] | None


@dataclass(frozen=True)
class Topology:
    """One environment, whole."""

    stack: str
    vercel_targets: tuple[str, ...]
    sensitive: bool
    projects: NewProjects | ExistingProjects
    branches: tuple[BranchPlan, ...]
    served: str
    facts: Mapping[str, str]
    database: str
    owner: str
    credentials: int
    app_roles: tuple[str, str]
    app: AppPlan | None
    guard: Guard | None

    @property
    def app_role(self) -> str:
        """The one of the two app roles whose turn it is: they alternate, so that a rotation leaves the other in use."""
        return self.app_roles[(self.credentials - 1) % 2]

    @property
    def own_source(self) -> str:
        """The environment's own branch that the served one was cloned from, or empty."""
        parent = next(branch.parent for branch in self.branches if branch.name == self.served)
        return parent.name if isinstance(parent, OwnBranch) else ""


@dataclass(frozen=True)
class StackExports:
    """What another environment tells of itself in its stack outputs."""

    neon: str | None = None
    vercel: str | None = None
    branches: Mapping[str, str] = field(default_factory=dict)
