"""The variables, as real shells evaluate them."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.cloud import ROOT, Cloud
from localcloud.ports import Ports
from localcloud.shell import environment, export_lines


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    ports = Ports(neon_api=1, postgres=2, vercel_api=3, edge=4, page=5)
    return Cloud(state=tmp_path, ports=ports, neon_api_key="napi_k", vercel_api_token="t" * 24)


def evaluated(lines: list[str], name: str, shell: str) -> str:
    script = "\n".join([*lines, f'printf %s "${name}"'])
    return subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_every_variable_survives_the_shell_whatever_the_path_holds(cloud: Cloud, shell: str) -> None:
    odd = replace(cloud, state=cloud.state / "it's a $HOME `dir` with; blanks")
    lines = export_lines(odd)
    for name, value in environment(odd).items():
        assert evaluated(lines, name, shell) == value


def test_the_tools_come_first_on_the_path_and_only_once(cloud: Cloud) -> None:
    once = environment(cloud, {"PATH": "/usr/bin:/bin"})["PATH"]
    assert once.split(os.pathsep) == [str(ROOT / ".tools/bin"), str(ROOT / ".venv/bin"), "/usr/bin", "/bin"]
    assert environment(cloud, {"PATH": once})["PATH"] == once


def test_a_proxy_exception_of_the_user_is_kept(cloud: Cloud) -> None:
    assert environment(cloud, {"no_proxy": "intranet"})["NO_PROXY"] == "127.0.0.1,localhost,intranet"


def test_a_passphrase_of_another_project_is_put_aside(cloud: Cloud) -> None:
    lines = ["export PULUMI_CONFIG_PASSPHRASE=another", *export_lines(cloud)]
    assert evaluated(lines, "PULUMI_CONFIG_PASSPHRASE", "sh") == ""


def test_the_backend_is_a_folder_below_the_state(cloud: Cloud) -> None:
    assert environment(cloud)["PULUMI_BACKEND_URL"] == f"file://{cloud.state}/pulumi/backend"
