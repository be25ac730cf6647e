"""The command line as a user runs it: real processes, exit codes, what is printed where."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import lifecycle
from localcloud.cloud import ROOT, Cloud
from tests.localcloud.stand_ins import COMMAND

pytestmark = pytest.mark.slow


def localcloud(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_status_shows_branches_by_lineage_with_computes_and_domains(cloud: Cloud) -> None:
    said = localcloud("status")
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0].startswith("local cloud: ready, pid ")
    assert lines[lines.index("Neon project shop (calm-sea-12345678)") + 1 :][:3] == [
        "  main  br-a  default",
        "    dev  br-b  [ep-b 0.25 CU idle]",
        "      prod-v1  br-c  protected  [ep-c 1-4 CU active]",
    ]
    assert "  dpl_2  production  READY  <- shop.vercel.app" in lines
    assert cloud.neon_api_key not in said.stdout


def test_status_of_a_cloud_that_does_not_run_is_exit_code_1(state: Path) -> None:
    said = localcloud("status")
    assert said.returncode == 1
    assert "not running" in said.stdout
    assert str(state) in said.stdout


def test_start_of_a_running_cloud_says_so(cloud: Cloud) -> None:
    said = localcloud("start")
    assert said.returncode == 0, said.stderr
    assert "already running" in said.stdout
    assert cloud.page_url in said.stdout


def test_a_second_daemon_in_the_foreground_is_refused(cloud: Cloud) -> None:
    said = localcloud("serve")
    assert said.returncode == 1
    assert f"another daemon serves {cloud.state}" in said.stderr


def test_stop_and_reset_say_what_they_did(state: Path) -> None:
    cloud = lifecycle.start(state, command=COMMAND).cloud
    assert localcloud("stop").stdout == "local cloud: stopped\n"
    assert localcloud("stop").stdout == "local cloud: was not running\n"
    assert f"removed {cloud.neon_state}" in localcloud("reset").stdout


def test_env_before_the_first_start_fails_and_prints_nothing_to_evaluate(state: Path) -> None:
    said = localcloud("env")
    assert said.returncode == 1
    assert said.stdout == ""
    assert str(state) in said.stderr


def test_env_is_evaluated_by_a_shell(cloud: Cloud) -> None:
    script = f'eval "$({sys.executable} -m localcloud env)" && printf "%s %s" "$NEON_API_KEY" "$VERCEL_EDGE_URL"'
    run = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == f"{cloud.neon_api_key} {cloud.vercel_edge_url}"


def test_what_workspace_prints_leads_into_the_copy(cloud: Cloud, tmp_path: Path) -> None:
    said = localcloud("workspace", str(tmp_path / "a copy"))
    assert said.returncode == 0, said.stderr
    script = said.stdout.splitlines()[-1].removeprefix("next: ") + ' && printf "%s %s" "$PWD" "$NEON_API_HOST"'
    run = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == f"{tmp_path / 'a copy'} {cloud.neon_api_host}"
    assert (tmp_path / "a copy" / "Pulumi.yaml").exists()


@pytest.mark.parametrize(("arguments", "shown"), [([], False), (["--show"], True)])
def test_env_shows_tokens_on_a_terminal_only_when_told(cloud: Cloud, arguments: list[str], *, shown: bool) -> None:
    primary, secondary = pty.openpty()
    command = [sys.executable, "-m", "localcloud", "env", *arguments]
    subprocess.run(command, cwd=ROOT, stdout=secondary, check=True)
    os.close(secondary)
    said = os.read(primary, 65536).decode()
    os.close(primary)
    assert (cloud.neon_api_key in said) is shown
    assert "eval" in said or shown


def test_any_python_of_the_machine_goes_on_in_the_virtual_environment(cloud: Cloud) -> None:
    script = "import runpy, sys; sys.path.insert(0, '.'); sys.argv[1:] = ['status']\n"
    script += "runpy.run_module('localcloud', run_name='__main__')"
    bare = [sys.executable, "-I", "-S", "-c", script]
    run = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert str(cloud.state) in run.stdout


def test_an_unknown_command_is_refused_with_the_list() -> None:
    said = localcloud("launch")
    assert said.returncode == 2
    assert "'start'" in said.stderr
