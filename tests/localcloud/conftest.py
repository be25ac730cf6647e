"""State folders whose daemon is gone when the test ends, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localcloud import lifecycle
from localcloud.cloud import ROOT, Cloud
from tests.localcloud.stand_ins import COMMAND


@contextmanager
def state_in(folder: Path) -> Iterator[Path]:
    """The commands' state is in this folder for a while."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LOCALCLOUD_STATE", str(folder))
        patched.setenv("LOCALCLOUD_PORTS", "any")
        patched.setenv("PYTHONPATH", str(ROOT))
        try:
            yield folder
        finally:
            lifecycle.stop(folder, deadline=2)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """No cloud was started here yet."""
    with state_in(tmp_path / "state") as folder:
        yield folder


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A running cloud of stand-ins, shared by tests that only look at it."""
    with state_in(tmp_path_factory.mktemp("cloud") / "state") as folder:
        yield lifecycle.start(folder, command=COMMAND).cloud
