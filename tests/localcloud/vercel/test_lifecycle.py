"""What outlives the process, and what must not."""

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from localcloud.vercel import VercelCloud

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TOKEN = "t" * 24
DOMAIN = "shop.vercel.app"
HOST_PROGRAM = """
import asyncio, json, logging, sys
from pathlib import Path
from localcloud.vercel import VercelCloud

async def main():
    cloud = VercelCloud(Path(sys.argv[1]), token=sys.stdin.readline().strip(), api_port=0, edge_port=0)
    await cloud.start()
    print(json.dumps([cloud.api_port, cloud.edge_port]), flush=True)
    await asyncio.Event().wait()

logging.basicConfig(level=logging.DEBUG)
asyncio.run(main())
"""


@asynccontextmanager
async def _hosted(state: Path, log: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, int]]:
    """A local Vercel in a process of its own, killed at the end."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            HOST_PROGRAM,
            str(state),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
        )
    try:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{TOKEN}\n".encode())
        api_port, edge_port = json.loads(await asyncio.wait_for(process.stdout.readline(), 10))
        yield process, api_port, edge_port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _processes_of(state: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(state):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _name(process: psutil.Process) -> str:
    """Return a process' name; none once it has ended, as a build's short-lived ones do at any moment."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


async def _gone(state: Path) -> bool:
    for _ in range(100):
        if not _processes_of(state):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_stop_leaves_no_process_and_a_start_finds_everything(
    tmp_path: Path, connect: Callable[[int, int], Any]
) -> None:
    cloud = VercelCloud(tmp_path / "vercel", token=TOKEN, api_port=0, edge_port=0)
    await cloud.start()
    client = connect(cloud.api_port, cloud.edge_port)
    project = await client.project()
    await client.variable(project, "COLOUR", "red")
    deployment = await client.deploy(project)
    assert await client.serving(DOMAIN) == deployment["id"]
    assert _processes_of(tmp_path)
    await cloud.stop()
    assert _processes_of(tmp_path) == []
    await cloud.stop()

    again = VercelCloud(tmp_path / "vercel", token=TOKEN, api_port=cloud.api_port, edge_port=cloud.edge_port)
    await again.start()
    try:
        client = connect(again.api_port, again.edge_port)
        assert (await client.seen_by(DOMAIN))["COLOUR"] == "red"
        assert (await client.call("GET", f"/v13/deployments/{DOMAIN}")) == deployment
    finally:
        await again.stop()


async def test_after_a_sigkill_no_process_stays_and_the_next_start_serves_as_before(
    tmp_path: Path, connect: Callable[[int, int], Any]
) -> None:
    state, log = tmp_path / "vercel", tmp_path / "log"
    async with _hosted(state, log) as (process, api_port, edge_port):
        client = connect(api_port, edge_port)
        deployment = await client.deploy(await client.project())
        await client.serving(DOMAIN)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert await _gone(state)
    async with _hosted(state, log) as (_, api_port, edge_port):
        client = connect(api_port, edge_port)
        assert await client.serving(DOMAIN) == deployment["id"]


async def test_a_build_that_a_sigkill_cut_off_is_taken_up_and_its_command_does_not_run_on(
    tmp_path: Path, connect: Callable[[int, int], Any]
) -> None:
    state, log, go = tmp_path / "vercel", tmp_path / "log", tmp_path / "go"
    async with _hosted(state, log) as (process, api_port, edge_port):
        client = connect(api_port, edge_port)
        project = await client.project(buildCommand=f"until [ -e {go} ]; do sleep 0.1; done")
        body = {"name": "shop", "project": project, "target": "production"}
        page = {"file": "public/index.html", "data": "built"}
        deployment = await client.call("POST", "/v13/deployments", body | {"files": [page]})
        assert deployment["readyState"] == "BUILDING"
        (first,) = [found for found in _processes_of(state) if _name(found) == "sh"]
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with _hosted(state, log) as (_, api_port, edge_port):
        client = connect(api_port, edge_port)
        assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
        assert (await client.call("GET", f"/v13/deployments/{deployment['id']}"))["readyState"] in (
            "QUEUED",
            "BUILDING",
        )
        go.touch()
        assert (await client.built(deployment["id"]))["readyState"] == "READY"
        assert (await client.visit(DOMAIN)).text == "built"


async def test_a_note_about_a_pid_that_now_is_another_process_kills_nobody(tmp_path: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "30", start_new_session=True)
    try:
        folder = tmp_path / "vercel" / "processes"
        folder.mkdir(parents=True)
        note = {"pid": bystander.pid, "started": 1, "boot": "another"}
        (folder / str(bystander.pid)).write_text(json.dumps(note))
        (folder / "junk").write_text("{")
        cloud = VercelCloud(tmp_path / "vercel", token=TOKEN, api_port=0, edge_port=0)
        await cloud.start()
        await cloud.stop()
        assert bystander.returncode is None
        assert list(folder.iterdir()) == []
    finally:
        bystander.kill()
        await bystander.wait()


async def test_secrets_are_in_no_log_and_in_no_file_that_others_can_read(
    tmp_path: Path, connect: Callable[[int, int], Any]
) -> None:
    state, log = tmp_path / "vercel", tmp_path / "log"
    shout = """
        console.log(process.env.URL);
        export default (request, response) => { console.log(process.env.KEPT); response.end(); };
    """
    async with _hosted(state, log) as (process, api_port, edge_port):
        client = connect(api_port, edge_port)
        project = await client.project(buildCommand="echo $URL")
        await client.variable(project, "KEPT", "canary-kept", type="sensitive")
        deployment = await client.deploy(project, shout, env={"URL": "postgresql://app:canary-own@127.0.0.1/db"})
        assert (await client.visit(DOMAIN)).status_code == 200
        await client.call("POST", f"/v10/projects/{project}/env", [{"key": "X", "value": {"canary": 1}}], status=400)
        lines = [" ".join(found.cmdline()) for found in [*_processes_of(state), psutil.Process(process.pid)]]
        assert not [line for line in lines if "canary" in line or TOKEN in line]
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*"))}
        assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
        said = (state / "logs" / f"{deployment['id']}.log").read_text()
        assert said.count("[redacted]") >= 2
        assert "canary" not in said
    assert "canary" not in log.read_text()
    assert TOKEN not in log.read_text()
