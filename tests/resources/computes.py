"""What the tests connect to: a database on a real branch, or a Postgres of their own where a superuser is needed."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from environments.clients.neon import Address
from environments.database import app_role
from environments.ids import BranchId, DatabaseName, EndpointId, NeonProject, RoleName
from localcloud.neon.copying import remove_tree
from localcloud.neon.installation import Installation
from tests.localcloud.neon.hosting import Project

OWNER = RoleName("neondb_owner")
PASSWORD = "of the app, 'quoted' and made up"

Session = psycopg.Connection[tuple[Any, ...]]


def run(connection: Session, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement that the tests put together; its rows, if it has any."""
    cursor = connection.execute(statement.encode())
    return cursor.fetchall() if cursor.description else []


@dataclass
class Database:
    """One database, its owner and the app role that the tests give rights to."""

    project: Project
    name: DatabaseName
    role: RoleName

    def owner(self, branch: str | None = None) -> Session:
        """A new session of the owner, by default on the root branch."""
        uri = self.project.uri(branch, database=self.name)
        return psycopg.connect(uri, autocommit=True, prepare_threshold=None)

    def app(self, role: RoleName | None = None, password: str = PASSWORD, branch: str | None = None) -> Session:
        """A new session of an app role."""
        uri = httpx.URL(self.project.uri(branch, database=self.name))
        return psycopg.connect(str(uri.copy_with(username=role or self.role, password=password)), autocommit=True)

    def make_app(self, connection: Session, role: RoleName | None = None) -> None:
        """Make an app role as AppLogin does."""
        app_role.make_role(connection, role or self.role, PASSWORD, OWNER)
        app_role.grant_rows(connection, role or self.role, self.name, OWNER)

    @property
    def address(self) -> Address:
        """Where it is, as our clients name it."""
        project = NeonProject(self.project.answer["project"]["id"])
        branch, endpoint = BranchId(self.project.root), EndpointId(self.project.endpoint)
        return Address(project, branch, endpoint, self.name, OWNER)

    def drop(self) -> None:
        """Remove the database and the roles that were made for it."""
        with psycopg.connect(self.project.uri(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))
            roles = connection.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", (self.role,))
            for (role,) in roles.fetchall():
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def make_database(project: Project, name: str) -> Database:
    """An empty database on the project's root branch."""
    with psycopg.connect(project.uri(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return Database(project, DatabaseName(name), RoleName(f"app_{name}"))


class Cluster:
    """A Postgres of a test's own, with a superuser to play tricks with."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self._installation = Installation.find()
        self._data = folder / "data"
        self._log = folder / "log"
        self._sockets = sockets
        self._process: subprocess.Popen[bytes] | None = None
        self._data.mkdir(parents=True, mode=0o700)
        for path in (self._data, sockets):
            self._installation.give(path)
        self.call("initdb", "--username=root", "--auth=trust", "--no-sync")

    def call(self, program: str, *arguments: str) -> None:
        """Run one of Postgres' programs over the stopped cluster."""
        command = self._installation.command(program, f"--pgdata={self._data}", *arguments)
        done = subprocess.run(command, cwd=self._data, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def start(self, **settings: str) -> None:
        """Return when it takes connections."""
        fixed = {"listen_addresses": "", "unix_socket_directories": str(self._sockets), "fsync": "off"}
        options = [f"-c{name}={value}" for name, value in (fixed | settings).items()]
        command = self._installation.command("postgres", "-D", str(self._data), *options, ends_with_us=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._data, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it cleanly."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)
            self._process = None

    def connect(self, user: str = "root", database: str = "postgres") -> Session:
        """A session that needs no password."""
        return psycopg.connect(host=str(self._sockets), user=user, dbname=database, autocommit=True)

    def grow_status_file(self, xid: int) -> None:
        """Make the page of the commit log that holds a transaction id which was jumped to."""
        per_page, pages_per_segment = 8192 * 4, 32
        segment = self._data / "pg_xact" / f"{xid // per_page // pages_per_segment:04X}"
        if not segment.exists():
            segment.write_bytes(b"\0" * 8192 * pages_per_segment)
            self._installation.give(segment)

    def log(self) -> str:
        """What it said."""
        return self._log.read_text(errors="replace")


@contextmanager
def own_cluster(folder: Path) -> Iterator[Cluster]:
    """A stopped cluster; it is stopped again afterwards."""
    sockets = Path(tempfile.mkdtemp(prefix="pg-"))
    cluster = Cluster(folder, sockets)
    try:
        yield cluster
    finally:
        cluster.stop()
        remove_tree(sockets)
