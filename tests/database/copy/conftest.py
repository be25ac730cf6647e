"""Two Neon projects with a branch each: one of the older Postgres that Debian installs, one of the default version."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from environments.clients.neon import Address
from environments.database.copy import programs
from localcloud.neon.installations import Installations
from tests.database.copy.places import SHOP, own_branch
from tests.localcloud.neon.hosting import API_KEY, Host, Project


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A Neon of this folder's own, in a process of its own."""
    folder = tmp_path_factory.mktemp("neon")
    host = Host(folder / "state", folder / "host.log").start()
    yield host
    host.end()


@pytest.fixture
def surroundings(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Neon is, and the programs of the newer version, where a user would name their folder."""
    monkeypatch.setenv("NEON_API_HOST", f"http://127.0.0.1:{host.api_port}/api/v2")
    monkeypatch.setenv("NEON_API_KEY", API_KEY)
    monkeypatch.setenv(programs.FOLDER_VARIABLE, str(Installations.find().default.bin))


@pytest.fixture(scope="package")
def older(host: Host) -> Project:
    """A project of the older version with everything in it that a shop could have."""
    installed = Installations.find()
    oldest = next(iter(installed.by_major))
    assert oldest < installed.default.major, "an older Postgres is needed: apt-get install postgresql (see .ci/run)"
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "o", "pg_version": oldest}}, status=201))
    with psycopg.connect(made.uri(), autocommit=True) as connection:
        connection.execute(SHOP.encode())
    return made


@pytest.fixture(scope="package")
def newer(host: Host) -> Project:
    """An empty project of the default version."""
    return Project(host, host.call("POST", "/projects", {"project": {"name": "n"}}, status=201))


@pytest.fixture
def source(older: Project) -> Iterator[Address]:
    """A branch of the older project, of the test's own."""
    with own_branch(older) as address:
        yield address


@pytest.fixture
def target(newer: Project) -> Iterator[Address]:
    """An empty branch of the newer project."""
    with own_branch(newer) as address:
        yield address
