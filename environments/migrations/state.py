"""What the stack's state holds of an environment's migrations: what is to be done, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from environments.clients.neon import Address
from environments.ids import BranchId, BranchKey, DatabaseName, EndpointId, NeonProject, RoleName
from environments.migrations.rehearsal.receipt import Receipt
from environments.migrations.restore_point import RestorePoint
from environments.migrations.result import Run
from environments.plan.topology import MigrationPlan
from environments.props import Unknown, Unwatched, known


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The served branch, `key` in the stack file, where its database is, and its `migrations`: None to run nothing.

    `source` is the environment's own branch that it was cloned from, `at` as of when: in seconds since 1970 or as an
    LSN. Both are empty where there is none. `roles` are the app's own, which a migration may take no rights from.
    """

    key: Unwatched[BranchKey]
    project: Unwatched[NeonProject | Unknown]
    branch: BranchId | Unknown
    endpoint: Unwatched[EndpointId | Unknown]
    database: DatabaseName
    owner: Unwatched[RoleName]
    migrations: MigrationPlan | None
    source: Unwatched[BranchKey]
    at: Unwatched[str]
    roles: Unwatched[tuple[RoleName, ...]] = ()

    @property
    def address(self) -> Address:
        """Where the database is. Raises NotKnownError while its branch or its compute isn't made."""
        return Address(
            known(self.project, "the Neon project"),
            known(self.branch, f"the branch {self.key}"),
            known(self.endpoint, f"the compute of {self.key}"),
            self.database,
            self.owner,
        )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What is left to run, by tag, and what the last rehearsal and the last run came to.

    `way_back` is the edit of the stack file that goes back to before the last run; empty where there is none.
    """

    pending: tuple[str, ...] = ()
    receipt: Receipt | None = None
    restore_point: RestorePoint | None = None
    way_back: str = ""
    ran: Run | None = None
