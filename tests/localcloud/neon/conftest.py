"""A real cloud in a process of its own, shared by the tests of this folder.

Tests that make a cloud or a project of their own are marked slow. The fast ones share the project `settled`; the whole
life of a branch, in short, is in test_life_cycle.py.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.localcloud.neon.hosting import Host, Project, wait_until

_FOLDER = Path(__file__).parent
_SLOW = {"project", "own_host", "cloud"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """BranchMarker what takes its time by what it asks for."""
    for item in items:
        if item.path.is_relative_to(_FOLDER) and isinstance(item, pytest.Function) and _SLOW & {*item.fixturenames}:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The shared cloud."""
    folder = tmp_path_factory.mktemp("neon")
    host = Host(folder / "state", folder / "host.log").start()
    yield host
    host.end()
    assert host.postmasters() == []


@pytest.fixture
def project(host: Host) -> Iterator[Project]:
    """A project that is deleted afterwards, however protected its branches are."""
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "test"}}, status=201))
    yield made
    for branch in host.call("GET", f"{made.path}/branches")["branches"]:
        host.call("PATCH", f"{made.path}/branches/{branch['id']}", {"branch": {"protected": False}})
    host.call("DELETE", made.path)


@pytest.fixture(scope="session")
def settled(host: Host) -> Project:
    """One project for all tests that leave it as it is, with a branch that has no endpoint."""
    made = Project(host, host.call("POST", "/projects", {"project": {"name": "settled"}}, status=201))
    made.branch("bare", endpoint=False)
    return made


@pytest.fixture
def own_host(tmp_path: Path) -> Iterator[Callable[[Path], Host]]:
    """Clouds of a test's own, to be killed and restarted."""
    hosts: list[Host] = []

    def make(state: Path) -> Host:
        hosts.append(Host(state, tmp_path / "host.log"))
        return hosts[-1].start()

    yield make
    for host in hosts:
        assert host.process is not None
        if host.process.poll() is None:
            host.end()
        wait_until(host.has_no_postgres)
