"""The local Vercel's memory: one SQLite file, which a SIGKILL leaves whole.

A row holds one entity as JSON beside the few attributes by which it is looked up.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from localcloud.private_files import FILE_MODE
from localcloud.vercel.models import Alias, BuildEvent, Deployment, Domain, Project, Variable

Entity = TypeVar("Entity")


class Table(Generic[Entity]):
    """The entities of one kind; the first of `columns` is their key, rows come back in the order of their making."""

    def __init__(self, db: sqlite3.Connection, name: str, kind: type[Entity], columns: tuple[str, ...]) -> None:
        self._db = db
        self._name = name
        self._columns = columns
        self._json = TypeAdapter(kind)
        key, *others = columns
        definitions = ", ".join([f"{key} TEXT UNIQUE NOT NULL", *others, "content TEXT NOT NULL"])
        db.execute(f"CREATE TABLE IF NOT EXISTS {name} (serial INTEGER PRIMARY KEY, {definitions})")
        for column in others:
            db.execute(f"CREATE INDEX IF NOT EXISTS {name}_{column} ON {name} ({column})")

    def save(self, entity: Entity) -> None:
        """Add the entity, or replace the one with its key."""
        names = (*self._columns, "content")
        values = (*(getattr(entity, column) for column in self._columns), self._json.dump_json(entity).decode())
        self._db.execute(
            f"INSERT INTO {self._name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
            f" ON CONFLICT ({names[0]}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in names[1:])}",
            values,
        )

    def find(self, **where: str) -> Entity | None:
        """The first one with these column values."""
        return next(iter(self.all(**where)), None)

    def all(self, **where: str) -> list[Entity]:
        """Those with these column values."""
        rows = self._db.execute(
            f"SELECT content FROM {self._name} {_condition(where)} ORDER BY serial",  # noqa: S608
            tuple(where.values()),
        )
        return [self._json.validate_json(content) for (content,) in rows]

    def column(self, name: str, **where: str) -> list[str]:
        """One column of those with these column values, without reading the entities."""
        rows = self._db.execute(
            f"SELECT {name} FROM {self._name} {_condition(where)} ORDER BY serial",  # noqa: S608
            tuple(where.values()),
        )
        return [value for (value,) in rows]

    def delete(self, **where: str) -> None:
        """Forget those with these column values."""
        self._db.execute(f"DELETE FROM {self._name} {_condition(where)}", tuple(where.values()))  # noqa: S608


class Store:
    """Everything that outlives the process, but for the files' contents."""

    def __init__(self, path: Path) -> None:
        # SQLite gives its journal files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
        self._db = db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        self.projects = Table(db, "projects", Project, ("id", "name"))
        self.variables = Table(db, "variables", Variable, ("id", "project_id"))
        self.domains = Table(db, "domains", Domain, ("name", "project_id"))
        self.deployments = Table(db, "deployments", Deployment, ("id", "host", "project_id", "state"))
        self.aliases = Table(db, "aliases", Alias, ("host", "uid", "deployment_id", "project_id"))
        self.events = Table(db, "events", BuildEvent, ("id", "deployment_id"))

    def close(self) -> None:
        """Write everything home."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block's writes or none; a block inside another is part of it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def project(self, id_or_name: str) -> Project | None:
        """A project by either of its names."""
        return self.projects.find(id=id_or_name) or self.projects.find(name=id_or_name)

    def deployment(self, id_or_host: str) -> Deployment | None:
        """A deployment by id, by its own host or by an alias."""
        found = self.deployments.find(id=id_or_host) or self.deployments.find(host=id_or_host)
        if found is None and (alias := self.aliases.find(host=id_or_host)):
            found = self.deployments.find(id=alias.deployment_id)
        return found

    def delete_deployment(self, deployment_id: str) -> None:
        """Forget a deployment with its events and the hosts that pointed to it."""
        with self.transaction():
            self.events.delete(deployment_id=deployment_id)
            self.aliases.delete(deployment_id=deployment_id)
            self.deployments.delete(id=deployment_id)

    def delete_project(self, project_id: str) -> None:
        """Forget a project and all that is its own."""
        with self.transaction():
            for deployment_id in self.deployments.column("id", project_id=project_id):
                self.delete_deployment(deployment_id)
            for table in (self.variables, self.domains, self.aliases):
                table.delete(project_id=project_id)
            self.projects.delete(id=project_id)


def _condition(where: dict[str, str]) -> str:
    return "WHERE " + " AND ".join(f"{column} = ?" for column in where) if where else ""
