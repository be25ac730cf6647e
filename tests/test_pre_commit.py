"""The pre-commit hooks run only what is installed in the virtual environment."""

from pathlib import Path

import yaml

FILE = Path(__file__).resolve().parent.parent / ".pre-commit-config.yaml"


def test_every_hook_is_of_this_repository() -> None:
    repositories = yaml.safe_load(FILE.read_text())["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    assert "://" not in FILE.read_text()


def test_the_hooks_run_the_programs_of_the_virtual_environment() -> None:
    hooks = {each["id"]: each for each in yaml.safe_load(FILE.read_text())["repos"][0]["hooks"]}
    assert hooks.keys() == {"ruff-format", "ruff-check", "mypy", "schema"}
    assert [each for each, hook in hooks.items() if not hook["entry"].startswith(".venv/bin/")] == []
    assert {hook["language"] for hook in hooks.values()} == {"system"}
