"""Pull the plug while a promotion is at any of its steps: the documented recovery converges, nothing is made twice."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEPS = [
    "neon:index:Branch",
    "neon:index:Endpoint",
    "environments:index:AppLogin",
    "environments:index:Ready",
    "environments:index:Deployment",
    "environments:index:Cutover",
    "vercel:index:ProjectEnvironmentVariable",
]


@pytest.mark.parametrize(
    ("step", "victim"),
    [
        *((step, "everything") for step in STEPS),
        ("neon:index:Branch", "engine"),
        ("environments:index:Cutover", "engine"),
    ],
)
def test_a_promotion_that_was_killed_converges_by_the_documented_recovery(world: World, step: str, victim: str) -> None:
    branch = f"killed-at-{step.rsplit(':', 1)[1].lower()}-{victim}"
    before = world.serving()
    world.add_orders("dev", "dev", 1)
    branches = world.setting("prod", "branches") | {branch: {"from": {"stack": "dev", "branch": "dev"}}}
    world.edit("prod", branches=branches, serve=branch)

    kill_at(world, step, everything=victim == "everything")

    answered = world.health(world.outputs("prod")["domain"])
    assert answered["ok"], "whatever was killed, the app answers"
    recovered = world.environments("recover", "-s", "prod")
    assert "Recovered" in recovered
    world.up("prod")

    assert world.serving()["branch"] == branch
    assert world.serving()["rows"]["orders"] == world.orders("dev", "dev")
    assert world.orders("prod", before["branch"]) == before["rows"]["orders"], "the branch before is as it was"
    names = [found["name"] for found in neon(world, "branches")]
    assert names.count(branch) == 1
    computes = [found["branch_id"] for found in neon(world, "endpoints")]
    assert len(computes) == len(set(computes)), "no branch has two computes"
    world.up("prod", "--expect-no-changes")


def test_recovery_refuses_while_the_engine_is_alive(world: World) -> None:
    world.edit(
        "prod", branches=world.setting("prod", "branches") | {"alive": {"from": {"stack": "dev", "branch": "dev"}}}
    )
    engine = start(world)
    try:
        wait_for(engine, "neon:index:Branch alive creating")
        engine.send_signal(signal.SIGSTOP)  # it lives, however slow the machine is
        refused = subprocess.run(
            [sys.executable, "-m", "environments", "recover", "-s", "prod"],
            cwd=world.folder,
            env=world.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 1
        assert "is being updated by process" in refused.stderr
    finally:
        engine.send_signal(signal.SIGCONT)
        engine.communicate()
    assert engine.returncode == 0


def kill_at(
    world: World, step: str, *, everything: bool, after: float | Callable[[], None] = 0.05, stack: str = "prod"
) -> None:
    """Start a promotion and kill it `after` seconds of `step`, or once that has returned."""
    engine = start(world, stack)
    wait_for(engine, step)
    time.sleep(after) if isinstance(after, float) else after()
    plugins = psutil.Process(engine.pid).children(recursive=True)
    engine.kill()
    if everything:
        end(plugins)
    engine.communicate()
    time.sleep(1)  # what the plugins were doing when their engine died comes to its end
    end(plugins)


def end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def start(world: World, stack: str = "prod") -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["pulumi", "up", "-s", stack, "--yes", "--skip-preview", "--non-interactive", "--color=never"],
        cwd=world.folder,
        env=world.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(engine: subprocess.Popen[str], step: str) -> None:
    """Read the engine's progress until `step` has begun; fail if it ends before."""
    assert engine.stdout
    said = []
    for line in engine.stdout:
        said.append(line)
        if step in line and ("creating" in line or "updating" in line or step.endswith("creating")):
            return
    raise AssertionError(f"{step} never began:\n{''.join(said)}")


def neon(world: World, what: str) -> list[dict[str, Any]]:
    project = world.outputs("dev")["projects"]["neon"]
    headers = {"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    answer = httpx.get(f"{world.cloud.neon_api_host}/projects/{project}/{what}", headers=headers)
    found: list[dict[str, Any]] = answer.raise_for_status().json()[what]
    return found


def test_recovery_of_a_stack_that_needs_none_changes_nothing(world: World) -> None:
    assert "Recovered" in world.environments("recover", "-s", "prod")
    world.up("prod", "--expect-no-changes")


def test_a_note_that_a_kill_left_empty_beside_the_state_is_put_right(world: World) -> None:
    assert world.backend
    (note,) = world.backend.rglob("prod.json.attrs")
    note.write_text("")
    with pytest.raises(CommandError, match="failed to load checkpoint: EOF"):
        world.up("prod")
    recovered = world.environments("recover", "-s", "prod")
    assert "half-written" in recovered
    world.up("prod", "--expect-no-changes")
