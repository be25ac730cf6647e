"""The daemon's life: real processes, killed and started in every order."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from localcloud import lifecycle
from localcloud.cloud import ROOT, Cloud
from localcloud.daemon import Phase, Record
from localcloud.lifecycle import LifecycleError, Started
from localcloud.ports import LOOPBACK
from localcloud.processes import Identity
from tests.localcloud.stand_ins import COMMAND

pytestmark = pytest.mark.slow


def start(state: Path, deadline: float = 20) -> Started:
    return lifecycle.start(state, command=COMMAND, deadline=deadline)


def daemon(state: Path) -> Identity:
    record = Record.of_living(state)
    assert record is not None, "no daemon runs"
    return record.process


def kill(state: Path) -> Identity:
    """SIGKILL the daemon; returns when it is dead."""
    killed = daemon(state)
    killed.send(signal.SIGKILL)
    while killed.alive():
        time.sleep(0.001)
    return killed


def at_work_in(state: Path) -> list[int]:
    """Every process on the machine whose working directory lies in the state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(state):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def answers(cloud: Cloud) -> bool:
    headers = {"Authorization": f"Bearer {cloud.neon_api_key}"}
    return httpx.get(f"{cloud.neon_api_host}/projects", headers=headers, trust_env=False).status_code == 200


def test_start_returns_when_the_apis_answer(state: Path) -> None:
    started = start(state)
    assert not started.already_running
    assert answers(started.cloud)


def test_a_second_start_finds_the_first_daemon(state: Path) -> None:
    start(state)
    first = daemon(state)
    assert start(state).already_running
    assert daemon(state) == first


def test_concurrent_starts_make_one_daemon(state: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from localcloud import lifecycle; from tests.localcloud import stand_ins"
    )
    script += "\nprint(lifecycle.start(Path(sys.argv[1]), command=stand_ins.COMMAND).already_running)"

    def start_elsewhere(_: int) -> str:
        run = subprocess.run(
            [sys.executable, "-c", script, str(state)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(start_elsewhere, range(4)))
    assert sorted(said) == ["False", "True", "True", "True"]
    assert len(at_work_in(state)) == 2, "one daemon has two children"


def test_stop_leaves_no_process_and_stops_twice(state: Path) -> None:
    start(state)
    running = daemon(state)
    assert lifecycle.stop(state).was_running
    assert not running.alive()
    assert at_work_in(state) == []
    assert not lifecycle.stop(state).was_running


def test_ports_and_tokens_stay_over_a_restart(state: Path) -> None:
    before = start(state).cloud
    lifecycle.stop(state)
    assert start(state).cloud == before


def test_a_killed_daemon_is_noticed_and_started_again(state: Path) -> None:
    before = start(state).cloud
    killed = kill(state)
    started = start(state)
    assert not started.already_running
    assert started.cloud == before
    assert daemon(state) != killed
    assert answers(started.cloud)


def test_a_stale_record_with_a_pid_that_another_process_bears_now_is_no_daemon(state: Path) -> None:
    start(state)
    lifecycle.stop(state)
    own = Identity.of(os.getpid())
    assert own
    Record(Identity(own.pid, own.started - 1, own.boot), Phase.READY).write(state)
    assert Record.of_living(state) is None
    assert not start(state).already_running
    assert own.alive()


def test_stop_ends_what_a_killed_daemon_left(state: Path) -> None:
    start(state)
    kill(state)
    assert len(at_work_in(state)) == 2, "the children live on"
    stopped = lifecycle.stop(state)
    assert (stopped.was_running, stopped.left_over) == (False, 2)
    assert at_work_in(state) == []


def test_stop_kills_a_daemon_that_does_not_listen(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALCLOUD_TEST_FAULT", "deaf")
    start(state)
    running = daemon(state)
    stopped = lifecycle.stop(state, deadline=0.5)
    assert stopped.killed == 1
    assert stopped.left_over == 2
    assert not running.alive()
    assert at_work_in(state) == []


def test_stop_spares_processes_that_are_elsewhere(state: Path, tmp_path: Path) -> None:
    start(state)
    neighbour = tmp_path / "state-of-a-neighbour"
    neighbour.mkdir()
    with subprocess.Popen(["sleep", "300"], cwd=neighbour) as stranger:
        lifecycle.stop(state)
        assert stranger.poll() is None
        stranger.kill()


def test_a_daemon_that_fails_to_start_says_why(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALCLOUD_TEST_FAULT", "start")
    with pytest.raises(LifecycleError, match="the disk is full"):
        start(state)
    assert Record.of_living(state) is None
    monkeypatch.delenv("LOCALCLOUD_TEST_FAULT")
    assert not start(state).already_running


def test_a_start_that_was_killed_half_way_is_taken_up_by_the_next(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALCLOUD_TEST_FAULT", "slow")
    with pytest.raises(LifecycleError, match="did not answer within"):
        start(state, deadline=0.0)
    assert at_work_in(state) == [], "a start in vain leaves nothing"
    cloud = Cloud.load(state)
    with subprocess.Popen([*COMMAND], start_new_session=True, stderr=subprocess.DEVNULL) as orphan:
        while Record.of_living(state) is None:
            time.sleep(0.01)
        assert not start(state).already_running
        assert daemon(state).pid == orphan.pid
        assert answers(cloud)
        lifecycle.stop(state)


def test_a_taken_port_is_named_and_reset_chooses_new_ones(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "PORT_DEADLINE", 0.1)
    before = start(state).cloud
    lifecycle.stop(state)
    with socket.create_server((LOOPBACK, before.ports.edge)):
        with pytest.raises(LifecycleError, match=f"port {before.ports.edge} is taken"):
            start(state)
        assert state / "cloud.json" in lifecycle.reset(state)
        after = start(state).cloud
        assert after.ports.edge != before.ports.edge
        assert answers(after)


def test_reset_removes_the_clouds_and_the_stacks_and_keeps_tokens_and_tools(state: Path) -> None:
    cloud = start(state).cloud
    (cloud.neon_state / "data").write_text("rows")
    (cloud.pulumi_backend / "stack.json").write_text("{}")
    (cloud.pulumi_home / "plugin").write_text("tool")
    removed = lifecycle.reset(state)
    assert {cloud.neon_state, cloud.vercel_state, cloud.pulumi_backend} <= set(removed)
    assert not cloud.neon_state.exists()
    assert not cloud.pulumi_backend.exists()
    assert (cloud.pulumi_home / "plugin").exists()
    assert cloud.passphrase_file.exists()
    assert at_work_in(state) == []
    assert start(state).cloud == cloud
    assert list(cloud.pulumi_backend.iterdir()) == []


def test_nobody_else_may_read_the_state(state: Path) -> None:
    cloud = start(state).cloud
    folders = [state, cloud.neon_state, cloud.vercel_state, cloud.pulumi_backend, cloud.pulumi_home]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    files = [path for path in state.rglob("*") if path.is_file()]
    assert cloud.log in files
    assert {path.name: path.stat().st_mode & 0o777 for path in files} == dict.fromkeys((p.name for p in files), 0o600)


def test_tokens_are_in_no_log_no_command_line_and_no_representation(state: Path) -> None:
    cloud = start(state).cloud
    tokens = [cloud.neon_api_key, cloud.vercel_api_token, cloud.passphrase_file.read_text()]
    answers(cloud)
    command = " ".join(psutil.Process(daemon(state).pid).cmdline())
    lifecycle.stop(state)
    said = "\n".join([cloud.log.read_text(), command, repr(cloud)])
    assert [token for token in tokens if token in said] == []
    assert json.loads((state / "cloud.json").read_text())["vercel_api_token"] == cloud.vercel_api_token
