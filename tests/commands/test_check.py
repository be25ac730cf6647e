"""`environments check`: a wrong stack file is found without any credential."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from environments.commands.main import main

ROOT = Path(__file__).resolve().parents[2]


def run() -> Result:
    return CliRunner().invoke(main, ["check"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "index.js").write_text("// an app\n")
    monkeypatch.chdir(tmp_path)
    for token in ("NEON_API_KEY", "VERCEL_API_TOKEN"):
        monkeypatch.delenv(token, raising=False)
    return tmp_path


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "Pulumi.prod.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_the_stack_files_of_the_repository_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = run()
    assert (done.exit_code, done.stderr) == (0, "")
    assert "prod: settings and plan are right" in done.stdout


def test_it_may_be_run_below_the_folder_of_the_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "app")
    assert "prod: settings and plan are right" in run().stdout


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("serve: prod-v1", "serve: prod-v9", "environments:serve is 'prod-v9': prod has no such branch"),
        ("min_cu: 1,", "min_cu: 0.3,", "Neon sells compute sizes"),
        ("branch: dev}", "branch: nowhere}", "copy of stack dev's nowhere, but Pulumi.dev.yaml has no such branch"),
        ("path: app}", "path: gone}", "there is no such folder"),
    ],
)
def test_a_wrong_stack_file_is_found_without_any_credential(folder: Path, old: str, new: str, why: str) -> None:
    assert run().exit_code == 0
    edit(folder, old, new)
    done = run()
    assert (done.exit_code, done.stderr) == (1, "error: Pulumi.prod.yaml is wrong\n")
    assert why in done.stdout
    assert "dev: settings and plan are right" in done.stdout


@pytest.mark.parametrize("text", ["", "[]", "config: [1]", "config: {a: b: c}", "name: x"])
def test_a_file_that_is_no_stack_file_is_refused(folder: Path, text: str) -> None:
    (folder / "Pulumi.prod.yaml").write_text(text)
    done = run()
    assert done.exit_code == 1
    assert "error: Pulumi.prod.yaml is no stack file with a config" in done.stderr


def test_a_folder_without_stack_files_is_refused(folder: Path) -> None:
    for file in folder.glob("Pulumi.*.yaml"):
        file.unlink()
    assert "holds no Pulumi.<stack>.yaml" in run().stderr
