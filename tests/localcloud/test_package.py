"""The local cloud as a package of its own: installed without the library, it runs from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cloud import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    """The commands of a fresh virtual environment that holds the package and what it needs.

    Where root runs the tests, Postgres runs as somebody else, who must be able to reach its programs: pytest's own
    folders are closed to others.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for arguments in (
            ["venv", "--clear", "--python", sys.executable, name],
            ["pip", "install", "--python", name, str(ROOT / "localcloud")],
        ):
            uv = [str(Path(sys.executable).with_name("uv")), *arguments, "--quiet"]
            done = subprocess.run(uv, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        yield folder / "bin"


def environment(data: Path) -> dict[str, str]:
    """The environment of a user who has Pulumi, and whose data folder is `data`."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LOCALCLOUD_STATE")}
    path = os.pathsep.join([str(ROOT / ".tools" / "bin"), own["PATH"]])
    return own | {"PATH": path, "XDG_DATA_HOME": str(data), "LOCALCLOUD_PORTS": "any"}


def test_it_starts_and_stops_in_any_folder_and_keeps_its_state_in_the_users_data_folder(
    programs: Path, tmp_path: Path
) -> None:
    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(programs / program), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment(tmp_path / "data"), capture_output=True, text=True, check=False
        )

    assert run("python", "-c", "import environments").returncode == 1, "the library is not needed"
    try:
        started = run("localcloud", "start")
        assert started.returncode == 0, started.stderr
        assert f"state in {tmp_path / 'data' / 'localcloud' / '.local'}" in started.stdout
        assert started.stdout.rstrip().endswith(f'next: eval "$({programs / "localcloud"} env)"')
        assert run("localcloud", "status").stdout.startswith("local cloud: ready")
        assert "export NEON_API_KEY=" in run("localcloud", "env").stdout
    finally:
        assert run("localcloud", "stop").stdout == "local cloud: stopped\n"
