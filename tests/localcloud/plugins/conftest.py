"""Each test gets a Neon and a Vercel that record, and a stack of the real engine that knows only them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.engine import ensure, environment, install_plugins
from tests.localcloud.plugins.neon_stub import NeonStub
from tests.localcloud.plugins.recorder import Recorder, served
from tests.localcloud.plugins.stack import Stack
from tests.localcloud.plugins.vercel_stub import VercelStub

TOOLS = Path(__file__).parents[3] / ".tools"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    ensure(TOOLS)
    install_plugins(home)
    return environment(TOOLS, home)


@pytest.fixture
def neon() -> Iterator[Recorder]:
    with served(Recorder(NeonStub())) as recorder:
        yield recorder


@pytest.fixture
def vercel() -> Iterator[Recorder]:
    with served(Recorder(VercelStub())) as recorder:
        yield recorder


@pytest.fixture(scope="session")
def empty(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack that was made and never used, to be copied."""
    folder = tmp_path_factory.mktemp("empty")
    backend = folder / "backend"
    backend.mkdir()
    reached = {"PULUMI_BACKEND_URL": backend.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "test"}
    made = Stack(folder / "project", {**engine, **reached}, backend, backend)
    made.prepare()
    return made


@pytest.fixture
def stack(empty: Stack, neon: Recorder, vercel: Recorder, tmp_path: Path) -> Stack:
    shutil.copytree(empty.directory.parent, tmp_path, dirs_exist_ok=True)
    return Stack(
        tmp_path / "project",
        {
            **empty.environment,
            "PULUMI_BACKEND_URL": (tmp_path / "backend").as_uri(),
            "NEON_API_HOST": f"{neon.url}/api/v2",
            "NEON_API_KEY": "neon-key",
            "VERCEL_API_URL": vercel.url,
            "VERCEL_API_TOKEN": "vercel-token",
        },
        tmp_path / "backend",
        empty.backend,
    )
