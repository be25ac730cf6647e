"""A Migration as the engine drives it, on an app's folder and a database of the tests' own."""

from pathlib import Path
from typing import Any

from environments.clients.app_files import app_digest
from environments.resources.migration import _OUTPUTS, MigrationProvider
from tests.migrations.written import write
from tests.resources.computes import OWNER, Database

SETTINGS: dict[str, Any] = {
    "level": "error",
    "excluded_rules": [],
    "allow_data_loss": [],
    "postgres": 18.0,
    "lock_timeout": 2.0,
    "statement_timeout": 30.0,
    "run_timeout": 60.0,
    "rehearse": True,
    "stop_after_rehearsal": False,
    "restore_point_days": 7.0,
    "table": "drizzle.__drizzle_migrations",
}
provider = MigrationProvider()


class World:
    """An app's folder and the inputs of its Migration."""

    def __init__(self, app: Path, database: Database) -> None:
        self.app, self.database = app, database
        self.folder = app / "drizzle"

    def props(self, *migrations: tuple[str, str], **settings: Any) -> dict[str, Any]:
        if migrations:
            write(self.app, "journal", migrations)
        project = self.database.project
        return {
            "project": project.answer["project"]["id"],
            "name": "prod-v1",
            "branch": project.root,
            "endpoint": project.endpoint,
            "database": self.database.name,
            "owner": OWNER,
            "folder": str(self.folder),
            "digest": app_digest(self.folder),
            "settings": SETTINGS | settings,
            "source": "",
            "at": "",
            **dict.fromkeys(_OUTPUTS),
        }

    def branches(self) -> list[str]:
        project = self.database.project
        found = project.host.call("GET", f"{project.path}/branches")["branches"]
        return sorted(each["name"] for each in found if each["name"].startswith(("before-", "rehearsal-")))


def create(props: dict[str, Any]) -> dict[str, Any]:
    return dict(provider.create(props).outs or {})


def update(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    return dict(provider.update("migration", olds, news).outs or {})


def changes(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    return bool(provider.diff("migration", olds, news).changes)


def refusals(olds: dict[str, Any], news: dict[str, Any]) -> str:
    return "\n".join(failure.reason for failure in provider.check(olds, news).failures)
