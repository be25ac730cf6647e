"""Both real halves in one daemon, driven by the command line and the two APIs."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from localcloud import lifecycle
from localcloud.cloud import ROOT, Cloud
from localcloud.daemon import Record

pytestmark = pytest.mark.slow


def localcloud(*arguments: str) -> str:
    command = [sys.executable, "-m", "localcloud", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def processes_of(state: Path) -> dict[int, list[str]]:
    """Every process whose command line or working directory names a folder of the state."""
    found = {}
    for process in psutil.process_iter():
        try:
            places = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if any(str(state) in place for place in places) and process.pid != os.getpid():
            found[process.pid] = places
    return found


def create_projects(cloud: Cloud) -> str:
    """A Neon and a Vercel project; the connection string of the Neon one."""
    neon = httpx.post(
        f"{cloud.neon_api_host}/projects",
        json={"project": {"name": "shop"}},
        headers={"Authorization": f"Bearer {cloud.neon_api_key}"},
        trust_env=False,
        timeout=30,
    )
    vercel = httpx.post(
        f"{cloud.vercel_api_url}/v10/projects",
        json={"name": "shop"},
        headers={"Authorization": f"Bearer {cloud.vercel_api_token}"},
        trust_env=False,
    )
    neon.raise_for_status()
    vercel.raise_for_status()
    return str(neon.json()["connection_uris"][0]["connection_uri"])


def test_a_cloud_lives_through_a_kill_and_a_restart_and_leaves_no_process(state: Path) -> None:
    said = localcloud("start")
    assert "running after" in said
    cloud = Cloud.load(state)
    create_projects(cloud)

    shown = localcloud("status")
    assert "Neon project shop" in shown
    assert "Vercel project shop" in shown
    page = httpx.get(cloud.page_url, trust_env=False)
    assert page.status_code == 200
    assert "Neon: shop" in page.text

    record = Record.of_living(state)
    assert record is not None
    record.process.send(signal.SIGKILL)
    while record.process.alive():
        time.sleep(0.001)
    assert "running after" in localcloud("start")
    assert "Neon project shop" in localcloud("status")

    localcloud("stop")
    assert processes_of(state) == {}


def test_stop_after_a_kill_leaves_no_postgres_behind(state: Path) -> None:
    cloud = lifecycle.start(state).cloud
    create_projects(cloud)
    record = Record.of_living(state)
    assert record is not None
    record.process.send(signal.SIGKILL)
    lifecycle.stop(state)
    assert processes_of(state) == {}


def test_the_page_names_the_branch_whose_endpoint_a_deployment_captured(state: Path) -> None:
    cloud = lifecycle.start(state).cloud
    url = create_projects(cloud)
    deployed = httpx.post(
        f"{cloud.vercel_api_url}/v13/deployments",
        json={
            "name": "shop",
            "project": "shop",
            "target": "production",
            "files": [{"file": "public/index.html", "data": "hello"}],
            "env": {"DATABASE_URL": url},
        },
        headers={"Authorization": f"Bearer {cloud.vercel_api_token}"},
        trust_env=False,
        timeout=30,
    )
    assert deployed.is_success, deployed.text
    text = httpx.get(cloud.page_url, trust_env=False).text
    assert re.search(r'<td><a href="#br-[a-z0-9-]+">main</a>', text)
    assert "&larr; shop.vercel.app" in text


def test_no_token_and_no_password_is_in_the_log_or_on_the_page(state: Path) -> None:
    cloud = lifecycle.start(state).cloud
    password = httpx.URL(create_projects(cloud)).password
    assert password
    said = [httpx.get(cloud.page_url, trust_env=False).text, localcloud("status"), cloud.log.read_text()]
    for secret in (cloud.neon_api_key, cloud.vercel_api_token, password):
        assert not any(secret in text for text in said)


def test_the_state_stays_closed_to_other_users(state: Path) -> None:
    lifecycle.start(state)
    create_projects(Cloud.load(state))
    open_folders = [path for path in state.iterdir() if path.is_dir() and path.stat().st_mode & 0o077]
    assert state.stat().st_mode & 0o777 == 0o700
    assert open_folders == []
