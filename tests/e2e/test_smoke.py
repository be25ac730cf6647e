"""The smoke script for real accounts runs on the local cloud, word for word."""

from __future__ import annotations

import subprocess

import pytest

from localcloud.cloud import ROOT
from tests.e2e.conftest import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_smoke_script_goes_through_and_leaves_nothing(bare: World) -> None:
    environment = bare.environment | {"SMOKE_NAME": "smoked", "LOCALCLOUD_STATE": str(bare.cloud.state)}
    environment.pop("PULUMI_BACKEND_URL")
    done = subprocess.run(
        ["bash", str(ROOT / "smoke.sh")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All went well." in done.stdout
    assert done.stdout.index("production answers from prod-v2") > done.stdout.index("production answers from prod-v1")
    assert "Vercel project removed" in done.stdout
    assert "Neon project removed" in done.stdout
    for token in (bare.cloud.neon_api_key, bare.cloud.vercel_api_token):
        assert token not in done.stdout + done.stderr
