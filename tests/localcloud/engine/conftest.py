"""Projects for the real engine, each with a backend of its own."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcloud.engine import ensure, environment, install_plugins

TOOLS = Path(__file__).parents[3] / ".tools"


@dataclass(frozen=True)
class Project:
    """A project folder with files that a test wrote."""

    directory: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, ok: bool = True) -> str:
        process = self.command(*arguments)
        output, _ = process.communicate(timeout=60)
        assert (process.returncode == 0) is ok, output
        return output


@pytest.fixture(scope="session")
def local_engine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    ensure(TOOLS)
    install_plugins(home)
    return {**os.environ, **environment(TOOLS, home), "PULUMI_CONFIG_PASSPHRASE": "test"}


@pytest.fixture
def project(local_engine: dict[str, str], tmp_path: Path) -> Callable[..., Project]:
    """Makes a project with a stack `dev` from the texts of its files."""

    def make(main: str, *, name: str = "program", **files: str) -> Project:
        directory, backend = tmp_path / name, tmp_path / "backend"
        directory.mkdir()
        backend.mkdir(exist_ok=True)
        (directory / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
        (directory / "__main__.py").write_text(main)
        for module, text in files.items():
            (directory / f"{module}.py").write_text(text)
        made = Project(directory, {**local_engine, "PULUMI_BACKEND_URL": backend.as_uri()})
        stacks = backend / ".pulumi" / "stacks" / name
        stacks.mkdir(parents=True)
        (backend / ".pulumi" / "meta.yaml").write_text("version: 1\n")
        (stacks / "dev.json").write_text(
            json.dumps({"version": 3, "checkpoint": {"stack": f"organization/{name}/dev"}})
        )
        return made

    return make
