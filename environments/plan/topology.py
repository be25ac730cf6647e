"""What must exist for one environment: frozen values, worked out before anything is made. No Pulumi here.

The graph that `components.environment` makes of it is the same for every strategy:

    BranchSource -> Branch -> Endpoint (-> Transfer) -> AppLogin   (per owned branch)
    ExternalLogin                                                  (the environment's login on another stack's branch)
    AppLogin of the served branch, or ExternalLogin
        -> Migration -> Ready -> Deployment (staged) -> Cutover -> variables -> VariableDrift
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from environments.ids import DeletionPolicy
from environments.props import Unwatched


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


@dataclass(frozen=True)
class NoBranch:
    """There is no parent: the branch was there before this environment, which adopts it."""


Parent = DefaultBranch | OwnBranch | ForeignBranch | NoBranch


@dataclass(frozen=True)
class Compute:
    """A compute's size in CU, and the idle seconds after which it suspends (-1: never)."""

    min_cu: float
    max_cu: float
    suspend_seconds: int


@dataclass(frozen=True)
class BranchPlan:
    """One branch that the environment owns.

    `key` is its name in the stack file, `name` its name in Neon. `at` is (unix seconds, LSN), at most one of them set.
    `protected` is Neon's own protection. `lifetime` is in seconds, None where the branch doesn't expire.
    """

    key: str
    name: str
    parent: Parent
    at: tuple[int | None, str | None]
    compute: Compute
    protected: bool
    deletion: DeletionPolicy
    keep_logins: bool
    lifetime: int | None
    schema_only: bool
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
    health_database: bool = True


@dataclass(frozen=True, kw_only=True)
class MigrationSettings:
    """How migrations are judged and run.

    `level`                   from which level on squawk's findings refuse a migration; `excluded_rules` don't count
    `allow_data_loss`         tags of migrations that may lose rows
    `postgres`                the major version
    `lock_timeout` and so on  in seconds: for a lock, for a statement, for all migrations together
    `rehearse`                run them on a scratch branch first; `stop_after_rehearsal` ends there
    `restore_point_days`      how long the restore point is kept (Neon: 30 at most)
    `table`                   where drizzle notes what it ran, a schema and a name
    `fewer_rights`            of what the app's login may lose rights or the sight of rows
    """

    level: Literal["off", "warning", "error"]
    excluded_rules: tuple[str, ...]
    allow_data_loss: tuple[str, ...]
    postgres: int
    lock_timeout: int
    statement_timeout: int
    run_timeout: int
    rehearse: bool
    stop_after_rehearsal: bool
    restore_point_days: int
    table: str
    fewer_rights: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MigrationPlan:
    """The migrations in `folder`, whose files have `digest`. Other settings alone run nothing."""

    folder: str
    digest: str
    settings: Unwatched[MigrationSettings]


Moves = Literal["own", "any", "back"]
"""Where a strategy lets the pointer move: to this environment's branches, anywhere, or only on a way back."""

ANY_ROWS = -1
"""Any number of rows, also one that can't be told."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A branch that may be left with up to so many rows of its own on it, or ANY_ROWS.

    For the first move, which takes the domain from a deployment, that deployment's id stands for the branch.
    """

    branch: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a move of the pointer may cost; `accepted` overrides `rows_left_behind` for one branch.

    `write_pause` is in seconds: from the fence to the end of the verification. `other_writers` may go on writing to a
    branch that is left. `fewer_rights` names the tables, schemas, sequences, functions and roles of which the app's
    login may see or do less than the one before.
    """

    moves: Moves
    live: bool
    rows_left_behind: int
    fence_first: bool
    write_pause: int = 10
    other_writers: tuple[str, ...] = ()
    accepted: Accepted | None
    fewer_rights: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReviewSummary:
    """What a review says of the settings, in words: the strategy's name, the served branch's source, its size."""

    target: str
    strategy: str
    source: str
    moment: str
    compute: str
    build: str


@dataclass(frozen=True)
class Topology:
    """One environment, whole.

    `compute` and `protected` are what the served branch must have. A `disposable` environment may be destroyed as it
    is: all that it owns is temporary.
    """

    stack: str
    vercel_targets: tuple[str, ...]
    git_branch: str | None
    sensitive: bool
    disposable: bool
    projects: NewProjects | ExistingProjects
    branches: tuple[BranchPlan, ...]
    served: OwnBranch | ForeignBranch
    compute: Compute
    protected: bool
    summary: ReviewSummary
    database: str
    owner: str
    credentials: int
    app_roles: tuple[str, str]
    app: AppPlan | None
    migration: MigrationPlan | None
    guard: Guard | None

    @property
    def app_role(self) -> str:
        """The one of the two app roles whose turn it is: they alternate, so that a rotation leaves the other in use."""
        return self.app_roles[(self.credentials - 1) % 2]

    @property
    def served_name(self) -> str:
        """How the served branch is called: by its key, with its stack before it where that is another one."""
        match self.served:
            case OwnBranch(name):
                return name
            case ForeignBranch(stack, name):
                return f"{stack}/{name}"

    @property
    def pointer(self) -> str:
        """What a user gives `pulumi config set serve` to have the pointer where it is."""
        match self.served:
            case OwnBranch(name):
                return name
            case ForeignBranch(stack, name):
                return f"'{json.dumps({'stack': stack, 'branch': name})}'"

    @property
    def served_lsn(self) -> str:
        """The log sequence number as of which the served branch was made, or empty."""
        return next((branch.at[1] or "" for branch in self.branches if self.served == OwnBranch(branch.key)), "")

    @property
    def shuts_logins(self) -> bool:
        """Whether the served branch was there before, and the logins that it had are shut."""
        served = (branch for branch in self.branches if self.served == OwnBranch(branch.key))
        return any(isinstance(branch.parent, NoBranch) and not branch.keep_logins for branch in served)

    @property
    def keeps_logins(self) -> bool:
        """Whether the logins that the served branch had before stay open, its owner's too."""
        return any(branch.keep_logins for branch in self.branches if self.served == OwnBranch(branch.key))

    @property
    def served_at(self) -> str:
        """The moment as of which the served branch was made, in unix seconds or as an LSN, or empty."""
        moments = [branch.at for branch in self.branches if self.served == OwnBranch(branch.key)]
        return next((str(timestamp or lsn or "") for timestamp, lsn in moments), "")

    @property
    def own_source(self) -> str:
        """The environment's own branch that the served one was cloned from, or empty."""
        parents = [branch.parent for branch in self.branches if self.served == OwnBranch(branch.key)]
        return next((parent.name for parent in parents if isinstance(parent, OwnBranch)), "")


@dataclass(frozen=True)
class StackExports:
    """What another environment tells of itself in its stack outputs."""

    neon: str | None = None
    vercel: str | None = None
    branches: Mapping[str, str] = field(default_factory=dict)
