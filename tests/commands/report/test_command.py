"""The command lines: `python -m report` and `python -m environments.commands.check`, run as a workflow runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.report.test_comment import GOLDEN

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, stdin: str = "", module: str = "report") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)


def test_a_preview_comes_from_a_file_or_from_stdin() -> None:
    file = GOLDEN / "promotion.json"
    wanted = file.with_suffix(".md").read_text()
    assert run(str(file)).stdout == run(stdin=file.read_text()).stdout == wanted


def test_a_refused_preview_is_a_review_too() -> None:
    done = run(str(GOLDEN / "refused-rows.json"), "--stack", "prod")
    assert done.returncode == 0
    assert done.stdout.startswith("<!-- environments-review:prod -->")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the input is empty"),
        ('{"steps": [', "is no JSON"),
        ("error: no stack named 'prod' found", "is no JSON"),
        ('{"version": 3, "deployment": {}}', "not that of `pulumi preview --json`"),
        ("[]", "not that of `pulumi preview --json`"),
    ],
)
def test_what_is_no_preview_is_told_and_nothing_is_printed(text: str, why: str) -> None:
    done = run(stdin=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_told() -> None:
    done = run("nowhere.json")
    assert done.returncode == 1
    assert "nowhere.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_stack_is_named_where_the_preview_names_none() -> None:
    assert run("--stack", "prod", stdin='{"steps": []}').stdout.startswith("<!-- environments-review:prod -->")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for stack in ("dev", "prod"):
        shutil.copy(ROOT / f"Pulumi.{stack}.yaml", tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "index.js").write_text("// an app\n")
    return tmp_path


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "Pulumi.prod.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_the_stack_files_of_the_repository_are_right() -> None:
    done = run(module="environments.commands.check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "prod: settings and plan are right" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("serve: prod-v1", "serve: prod-v9", "environments:serve is 'prod-v9': prod has no such branch"),
        ("min_cu: 1,", "min_cu: 0.3,", "Neon sells compute sizes"),
        ("branch: dev}", "branch: nowhere}", "copy of nowhere in stack dev, whose file names no such branch"),
        ("path: app}", "path: gone}", "there is no such folder"),
    ],
)
def test_a_wrong_stack_file_is_found_without_any_credential(folder: Path, old: str, new: str, why: str) -> None:
    assert run(str(folder), module="environments.commands.check").returncode == 0
    edit(folder, old, new)
    done = run(str(folder), module="environments.commands.check")
    assert done.returncode == 1
    assert why in done.stdout


@pytest.mark.parametrize("text", ["", "[]", "config: [1]", "config: {a: b: c}", "name: x"])
def test_a_stack_file_that_is_none_is_told(folder: Path, text: str) -> None:
    (folder / "Pulumi.prod.yaml").write_text(text)
    done = run(str(folder), module="environments.commands.check")
    assert done.returncode == 1
    assert "Pulumi.prod.yaml is no stack file with a config" in done.stderr


def test_a_folder_without_stack_files_is_told(tmp_path: Path) -> None:
    assert "holds no Pulumi.<stack>.yaml" in run(str(tmp_path), module="environments.commands.check").stderr
