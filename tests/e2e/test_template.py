"""The program runs from an empty folder, with the library's wheel installed and nothing else of this repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from environments.version import VERSION
from localcloud.cloud import ROOT, Cloud
from localcloud.workspace import NOT_COPIED
from tests.e2e.conftest import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILES = ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "__main__.py", "requirements.txt", "stack.schema.json")
FOLDERS = ("components", "plugin")
APP = "app"
LEAVES_THE_FOLDER = {"PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
"""Variables through which a Python could find modules of the repository, or leave no trace of what it imported."""


class Template(World):
    """The template in a folder of its own."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a shell that knows the local cloud and nothing of the repository."""
        return {name: value for name, value in super().environment.items() if name not in LEAVES_THE_FOLDER}


def uv(*arguments: str | Path, cwd: Path) -> None:
    """Run uv, which shares one cache and needs seconds where pip needs a minute."""
    command = [Path(sys.executable).with_name("uv"), *arguments, "--quiet"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as its users install it."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    assert built.name.startswith(f"environments-{VERSION}-")
    return built


@pytest.fixture(scope="module")
def template(emptied: Cloud, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """An empty folder to which the template's files and an app were copied, with what requirements.txt asks for."""
    folder = tmp_path_factory.mktemp("template")
    program, backend = folder / "shop", folder / "backend"
    program.mkdir()
    backend.mkdir()
    for name in FILES:
        shutil.copy2(ROOT / name, program / name)
    for name in (*FOLDERS, APP):
        shutil.copytree(ROOT / name, program / name, ignore=NOT_COPIED)
    requirements = program / "requirements.txt"
    text, named = re.subn(r"^\.$", str(wheel), requirements.read_text(), flags=re.MULTILINE)
    assert named == 1, "one line names the library"
    requirements.write_text(text)
    uv("venv", "--python", sys.executable, ".venv", cwd=program)
    uv("pip", "install", "--python", ".venv", "--requirements", "requirements.txt", cwd=program)
    template = Template(program, emptied, backend)
    template.edit("dev", project={"name": "template"})
    return template


def test_dev_and_production_come_up_with_the_library_from_the_fresh_environment(template: Template) -> None:
    library = imported_from(template, template.environment)
    assert library.is_relative_to(template.folder / ".venv")
    assert {path.name for path in template.folder.iterdir()} == {*FILES, *FOLDERS, APP, ".venv"}
    assert not list(library.rglob("*.pyc")), "nothing of it was imported yet"

    template.bring_up_dev()
    assert "Clone & Promote" in preview_of_prod(template)
    template.bring_up_prod()

    assert template.serving()["branch"] == "prod-v1"
    assert template.serving()["rows"]["orders"] == template.orders("dev", "dev")
    for module in ("program/topology", "plugin/server", "resources/deployment"):
        compiled = Path(library, module).parent / "__pycache__"
        assert list(compiled.glob(f"{Path(module).name}.*.pyc")), f"{module} was imported from the fresh environment"
    template.up("prod", "--expect-no-changes")


def preview_of_prod(template: Template) -> str:
    """Return production's first preview."""
    template.select("prod")
    return template.preview("prod")


def imported_from(template: Template, environment: Mapping[str, str]) -> Path:
    """Return the folder of the library that the template's own Python finds."""
    command = [".venv/bin/python", "-B", "-c", "import environments; print(environments.__path__[0])"]
    done = subprocess.run(
        command, cwd=template.folder, env=dict(environment), capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip())
