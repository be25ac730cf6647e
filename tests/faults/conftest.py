"""The worlds of the end-to-end tests, here for tests that pull the plug."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import bare, cloud, emptied, world
from tests.warm import starts

__all__ = ["bare", "cloud", "emptied", "world"]


@pytest.fixture(scope="module", autouse=True)
def _own_processes() -> Iterator[None]:
    """Let the engine start its hosts and plugins itself: they are what is killed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(starts.COLD, "1")
        yield
