"""Faults that once passed every check, planted in a copy: mypy must find each one, on its own line.

The kinds: a misspelt key that is read, one that is written, an owed step forgotten, a value of another type,
an id of another kind, a value that a preview doesn't know, and a misspelt argument of a provider's generated class.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("environments", "components", "sdks")

FAULTS = {
    "a misspelt output is read: an owed fence is forgotten": (
        "environments/resources/cutover.py",
        "return old.outputs.unfinished is not None",
        "return old.outputs.unfinishd is not None",
    ),
    "a misspelt input is read": (
        "environments/cutover/guard.py",
        'if guard.moves == "back" and not again:',
        'if guard.move == "back" and not again:',
    ),
    "a misspelt input is written": (
        "components/environment.py",
        "serve=topology.pointer,",
        "serves=topology.pointer,",
    ),
    "an output is forgotten": (
        "environments/cutover/cut_over.py",
        "history={**history, served.id: service}, unfinished=unfinished)",
        "history={**history, served.id: service})",
    ),
    "a string stands where a number goes": (
        "components/environment.py",
        "health=HealthCheck(path=app.health_path, status=app.health_status, database",
        "health=HealthCheck(path=app.health_path, status=str(app.health_status), database",
    ),
    "Neon's project stands where Vercel's goes": (
        "components/environment.py",
        "vercel=later_id(self._projects.vercel_project, VercelProject),",
        "vercel=later_id(self._projects.neon_project, NeonProject),",
    ),
    "a value that a preview doesn't know is used as if it did": (
        "environments/resources/deployment.py",
        'served = last_served(known(new.direct_url, "the branch\'s URL"), wanted.branch)',
        "served = last_served(new.direct_url, wanted.branch)",
    ),
    "a word that is none of the choices": (
        "environments/plan/plan.py",
        'return "orphan"',
        'return "orphaned"',
    ),
    "a misspelt argument of the Neon provider's class": (
        "components/branch.py",
        "parent_timestamp=timestamp,",
        "parent_time=timestamp,",
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[int]]:
    """Plant every fault in one copy; return the lines of which mypy complains, by file."""
    copy = tmp_path_factory.mktemp("planted")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", copy)
    if (ROOT / ".mypy_cache").is_dir():  # what isn't changed needn't be checked again
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    for file, right, wrong in FAULTS.values():
        text = (copy / file).read_text()
        assert text.count(right) == 1, f"{file} holds {right!r} {text.count(right)} times: name another place"
        (copy / file).write_text(text.replace(right, wrong))
    command = [sys.executable, "-m", "mypy", "environments", "components"]
    env = {name: value for name, value in os.environ.items() if name not in ("MYPYPATH", "PYTHONPATH")}
    told = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, check=False)
    lines: dict[str, set[int]] = {}
    for file, line in re.findall(r"^(\S+?):(\d+): error:", told.stdout, re.MULTILINE):
        lines.setdefault(file, set()).add(int(line))
    assert lines, told.stdout + told.stderr
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_mypy_finds_a_fault_that_once_passed(fault: str, found: dict[str, set[int]]) -> None:
    file, right, _ = FAULTS[fault]
    (line,) = [number for number, text in enumerate((ROOT / file).read_text().splitlines(), 1) if right in text]
    near = range(line - 14, line + 3)  # a call is complained of at its first line
    assert found.get(file, set()) & set(near), f"{file}:{line} planted, mypy complains of {found}"


@pytest.mark.slow
def test_mypy_complains_of_nothing_but_what_was_planted(found: dict[str, set[int]]) -> None:
    assert set(found) <= {file for file, _, _ in FAULTS.values()}
    planted = Counter(file for file, _, _ in FAULTS.values())
    assert all(len(found[file]) >= count for file, count in planted.items()), f"each on a line of its own: {found}"
    assert sum(map(len, found.values())) <= len(FAULTS) + 1
