"""A stand-in for Neon where the clients look for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.branches.stand_in import StandIn
from tests.localcloud.plugins.recorder import Recorder, served


@pytest.fixture
def neon(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A Neon with one project `p` and nothing in it."""
    neon = StandIn()
    with served(Recorder(neon)) as recorder:
        monkeypatch.setenv("NEON_API_HOST", recorder.url)
        monkeypatch.setenv("NEON_API_KEY", "made-up")
        yield neon
