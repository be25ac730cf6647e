"""A Migration without an engine, on an app's folder and a database of the tests' own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from environments.clients.app_files import app_digest
from environments.ids import BranchKey, RoleName
from environments.plan.topology import MigrationPlan, MigrationSettings
from environments.resources.migration import Inputs, Migration, Outputs
from environments.resources.typed import State
from tests.migrations.written import write
from tests.resources.computes import Database

SETTINGS = MigrationSettings(
    level="error",
    excluded_rules=(),
    allow_data_loss=(),
    postgres=18,
    lock_timeout=2,
    statement_timeout=30,
    run_timeout=60,
    rehearse=True,
    stop_after_rehearsal=False,
    restore_point_days=7,
    table="drizzle.__drizzle_migrations",
)
resource = Migration()


class World:
    """An app's folder and the inputs of its Migration."""

    def __init__(self, app: Path, database: Database) -> None:
        self.app, self.database = app, database
        self.folder = app / "drizzle"

    def inputs(self, *migrations: tuple[str, str], **settings: Any) -> Inputs:
        """The inputs once these migrations are written into the folder, in which none stays as it is without any."""
        if migrations:
            write(self.app, "journal", migrations)
        address = self.database.address
        plan = MigrationPlan(
            folder=str(self.folder), digest=app_digest(self.folder) or "", settings=replace(SETTINGS, **settings)
        )
        return Inputs(
            key=BranchKey("prod-v1"),
            project=address.project,
            branch=address.branch,
            endpoint=address.endpoint,
            database=address.database,
            owner=address.owner,
            migrations=plan,
            source=BranchKey(""),
            at="",
            roles=(self.database.role, RoleName(f"{self.database.role}_2")),
        )

    def branches(self) -> list[str]:
        project = self.database.project
        found = project.host.call("GET", f"{project.path}/branches")["branches"]
        return sorted(each["name"] for each in found if each["name"].startswith(("before-", "rehearsal-")))


def create(new: Inputs) -> State[Inputs, Outputs]:
    id_, outputs = resource.create(new)
    return State(id_, new, outputs)


def update(old: State[Inputs, Outputs], new: Inputs) -> State[Inputs, Outputs]:
    return State(old.id, new, resource.update(old, new))


def changes(old: State[Inputs, Outputs], new: Inputs) -> bool:
    """Whether an update is needed."""
    return bool(resource.changed(old, new)) or resource.stale(old, new)


def refusals(old: Inputs | None, new: Inputs) -> str:
    return "\n".join(resource.check(old, new).refusals)
