"""The command `environments` as a whole: what it prints, its exit codes, what it loads, and that it is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from environments.commands.main import main
from environments.errors import FailedError
from environments.settings import schema
from environments.settings.pull_request import EXPIRES, stack_file
from environments.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
EXEMPT = ("tests/commands/test_main.py", "CHANGELOG.md")
"""They name the commands that are gone."""

SECTION = re.compile(r"^## `environments (\S+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def module(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "environments", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def described() -> dict[str, str]:
    return dict(SECTION.findall((ROOT / "docs" / "commands.md").read_text()))


def test_every_subcommand_is_described_and_none_that_does_not_exist() -> None:
    assert described().keys() == main.commands.keys()


@pytest.mark.parametrize("name", main.commands)
def test_every_option_of_a_subcommand_is_described(name: str) -> None:
    options = {option for each in main.commands[name].params if isinstance(each, click.Option) for option in each.opts}
    assert {option for option in options if f"`{option}`" not in described()[name]} == set()


def test_every_command_that_the_documentation_and_the_workflows_name_exists() -> None:
    places = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.yml")]
    command = re.compile(r"(?<![\w./-])(?:\.venv/bin/(?:python -m )?)?environments ([a-z][a-z-]*)")
    code = [
        span for file in places for span in re.findall(r"`[^`\n]+`|```sh\n.*?```|run: .*", file.read_text(), re.DOTALL)
    ]
    named = {name for span in code for name in command.findall(span)}
    assert {"recover", "adopt", "check", "report"} <= named
    assert named - main.commands.keys() == set()


def test_the_old_commands_are_named_nowhere() -> None:
    old = re.compile(r"python3? -m (recovery|adoption|report|components|environments\.(?!plugin))")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    texts = {
        name: (ROOT / name).read_text() for name in tracked if name.endswith((".py", ".md", ".yml", ".yaml", ".sh"))
    }
    assert len(texts) > 100
    assert [name for name, text in texts.items() if old.search(text) and name not in EXEMPT] == []


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == module("--version").stdout == f"environments {VERSION}\n"


def test_the_installed_script_is_this_command() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="environments")
    assert script.load() is main


def test_the_command_line_loads_nothing_that_the_subcommand_does_not_need() -> None:
    heavy = ("pydantic", "httpx", "yaml", "pulumi", "psycopg", "environments.settings")
    code = f"""
import sys
from click.testing import CliRunner
from environments.commands.main import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
assert CliRunner().invoke(main, ["recover"]).exit_code == 2
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments", [("nothing",), ("adopt",), ("recover",), ("recover", "-s"), ("pull-request", "0", "x"), ("check", "x")]
)
def test_a_wrong_command_line_has_the_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments", [("check",), ("adopt", "-s", "prod"), ("recover", "-s", "prod"), ("schema", "--write")]
)
def test_outside_of_a_program_it_says_where_to_run_it(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"error: there is no Pulumi.yaml in {tmp_path} or above it. Run this in the folder of"
    )


@pytest.mark.parametrize("name", ["adopt", "recover"])
def test_without_credentials_nothing_is_tried(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for token in ("NEON_API_KEY", "VERCEL_API_TOKEN"):
        monkeypatch.delenv(token, raising=False)
    monkeypatch.setenv("PATH", "")
    done = run(name, "-s", "prod")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: NEON_API_KEY and VERCEL_API_TOKEN are not set; nothing was changed")


def test_an_error_of_the_library_is_a_sentence_and_any_other_one_a_traceback() -> None:
    @main.command("failing")
    @click.argument("how")
    def failing(how: str) -> None:
        raise FailedError("it broke") if how == "ours" else ZeroDivisionError

    try:
        ours, other = run("failing", "ours"), run("failing", "other")
    finally:
        del main.commands["failing"]
    assert (ours.exit_code, ours.stdout, ours.stderr) == (1, "", "error: it broke\n")
    assert isinstance(other.exception, ZeroDivisionError)


def test_the_schema_is_printed_or_written_beside_pulumi_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("schema").stdout == schema.rendered()
    (tmp_path / "Pulumi.yaml").write_text("name: x\n")
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    assert run("schema", "--write").stdout == ""
    assert (tmp_path / "stack.schema.json").read_text() == schema.rendered()


def test_the_stack_file_of_a_pull_request_is_printed_or_it_says_what_is_wrong() -> None:
    done = run("pull-request", "7", "feature/basket", "--schema-only")
    assert (done.exit_code, done.stdout) == (0, stack_file(7, "feature/basket", schema_only=True))
    assert run("pull-request", "7", "x", "--expires", "12h").stdout == stack_file(7, "x", expires="12h")
    assert f"By default {EXPIRES}." in " ".join(run("pull-request", "--help").stdout.split())
    for arguments, why in (
        (("7", "a b"), "that is no name of a git branch. Write it as git shows it"),
        (("7", "x", "--expires", "31d"), "lives for 1 minute to 30 days"),
        (("7", "x", "--expires", ""), "environments:branches.pr-7.expires"),
        (("--", "7", "--help"), "that is no name of a git branch"),
    ):
        refused = run("pull-request", *arguments)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert why in refused.stderr
