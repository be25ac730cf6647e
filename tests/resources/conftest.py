"""A Neon of the tests' own over real Postgres, and a database with an owner, an app role and a baseline in it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.localcloud.neon.hosting import Host, Project
from tests.resources.computes import Database, make_database

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")  # it would else make a folder in the checkout


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A running Neon, in a process of its own."""
    folder = tmp_path_factory.mktemp("neon")
    host = Host(folder / "state", folder / "host.log").start()
    yield host
    host.end()


@pytest.fixture(scope="package")
def project(host: Host) -> Project:
    """One project for the whole folder."""
    return Project(host, host.call("POST", "/projects", {"project": {"name": "safety"}}, status=201))


@pytest.fixture
def database(project: Project, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of the owner's, with an app role that nothing was granted to yet."""
    made = make_database(project, f"d{abs(hash(request.node.nodeid)):x}"[:20])
    yield made
    made.drop()


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A session of the owner."""
    with database.owner() as connection:
        yield connection


@pytest.fixture
def server_log(host: Host, project: Project) -> Path:
    """What the compute's Postgres logs to."""
    return host.state / "branches" / project.root / "compute.log"
