"""A Neon of the tests' own over real Postgres, and an empty database in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.neon.hosting import API_KEY, Host, Project
from tests.resources.computes import Database, Session, make_database


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A running Neon, in a process of its own, to which our client is pointed."""
    folder = tmp_path_factory.mktemp("neon")
    host = Host(folder / "state", folder / "host.log").start()
    yield host
    host.end()


@pytest.fixture(scope="package")
def project(host: Host) -> Project:
    """One project for the whole folder."""
    return Project(host, host.call("POST", "/projects", {"project": {"name": "migrations"}}, status=201))


@pytest.fixture
def neon(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where our client finds Neon."""
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)


@pytest.fixture
def database(project: Project, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of the owner's."""
    made = make_database(project, f"d{abs(hash(request.node.nodeid)):x}"[:20])
    yield made
    made.drop()


@pytest.fixture
def url(database: Database) -> str:
    """The owner's direct URL."""
    return database.project.uri(database=database.name)


@pytest.fixture
def owner(database: Database) -> Iterator[Session]:
    """A session of the owner."""
    with database.owner() as connection:
        yield connection


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app's folder with the example app's packages in it."""
    folder = tmp_path / "app"
    folder.mkdir()
    packages = Path(__file__).resolve().parents[2] / "app" / "node_modules"
    (folder / "node_modules").symlink_to(packages)
    return folder
