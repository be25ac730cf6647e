"""The workflow of preview environments, its scripts run as they stand with a stand-in for the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.commands.report.test_workflows import ROOT, parsed


def run_script(job: str, name: str, folder: Path, pulumi: str, **values: str) -> None:
    """Run one step of the preview workflow in `folder`, with a stub in place of the engine."""
    found = parsed(ROOT / ".github/workflows/preview.yml")["jobs"][job]["steps"]
    step = next(each for each in found if each.get("name") == name)
    (folder / ".venv/bin").mkdir(parents=True, exist_ok=True)
    python = folder / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={os.pathsep.join([str(ROOT), *sys.path])} exec {sys.executable} "$@"\n')
    (folder / "pulumi").write_text(pulumi)
    for stub in (python, folder / "pulumi"):
        stub.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    subprocess.run(command, cwd=folder, env=environment | values, check=True)


NOTES = """#!/bin/sh
echo "$*" >> calls
"""
HOSTILE = "x$(touch${IFS}obeyed)`touch${IFS}obeyed`;touch${IFS}obeyed;'\"&&touch${IFS}obeyed"


def test_a_git_branch_that_looks_like_a_script_is_only_a_name(tmp_path: Path) -> None:
    run_script("up", "stack file", tmp_path, NOTES, NUMBER="7", BRANCH=HOSTILE)
    written = yaml.safe_load((tmp_path / "Pulumi.pr-7.yaml").read_text())["config"]
    assert written["environments:git_branch"] == HOSTILE
    assert not (tmp_path / "obeyed").exists()
    with pytest.raises(subprocess.CalledProcessError):
        run_script("up", "stack file", tmp_path, NOTES, NUMBER="8", BRANCH="--help me")


def test_a_pull_request_is_brought_up_renewed_and_taken_down(tmp_path: Path) -> None:
    run_script("up", "up", tmp_path, NOTES, NUMBER="7")
    run_script("down", "destroy", tmp_path, NOTES, NUMBER="7")
    assert [line.replace(" --non-interactive", "") for line in (tmp_path / "calls").read_text().splitlines()] == [
        "stack select --create pr-7",
        "up -s pr-7 --refresh --yes --skip-preview",
        "stack select --create pr-7",
        "destroy -s pr-7 --yes --skip-preview",
        "stack rm -s pr-7 --yes",
    ]


def test_a_preview_environment_that_failed_says_what_to_do_next(tmp_path: Path) -> None:
    for job in ("up", "down"):
        run_script(job, "what to do now", tmp_path, NOTES, NUMBER="7")
    told = (tmp_path / "summary").read_text()
    assert told.count("environments recover -s pr-7") == 2
    assert "STACK" not in told
