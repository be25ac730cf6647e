"""What needs a hand inside: the clock, a copy under way, an operation under way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest

from localcloud.neon import AlreadyRunningError, NeonCloud
from localcloud.neon.control import ControlPlane
from localcloud.neon.records import Endpoint

HEADERS = {"Authorization": "Bearer k"}


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cloud(tmp_path: Path, clock: Clock) -> AsyncIterator[NeonCloud]:
    cloud = NeonCloud(tmp_path / "state", api_key="k", api_port=0, proxy_port=0, clock=clock)
    await cloud.start()
    yield cloud
    await cloud.stop()


@pytest.fixture
async def api(cloud: NeonCloud) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{cloud.api_port}/api/v2"
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as client:
        yield client


def control_of(cloud: NeonCloud) -> ControlPlane:
    assert cloud.control is not None
    return cloud.control


async def make_project(api: httpx.AsyncClient, suspend_timeout: int = 0) -> tuple[str, str, str]:
    """The project, its endpoint and its URI."""
    body = {"project": {"default_endpoint_settings": {"suspend_timeout_seconds": suspend_timeout}}}
    made = (await api.post("/projects", json=body)).json()
    return made["project"]["id"], made["endpoints"][0]["id"], made["connection_uris"][0]["connection_uri"]


async def test_a_compute_without_clients_is_suspended_after_its_timeout_and_not_before(
    cloud: NeonCloud, api: httpx.AsyncClient, clock: Clock
) -> None:
    fleet = control_of(cloud).fleet
    _, default, _ = await make_project(api)
    _, short, _ = await make_project(api, 60)
    _, never, _ = await make_project(api, -1)
    clock.now += 59
    await fleet.suspend_idle()
    assert [fleet.running(endpoint) is not None for endpoint in (default, short, never)] == [True, True, True]
    clock.now += 1
    await fleet.suspend_idle()
    assert [fleet.running(endpoint) is not None for endpoint in (default, short, never)] == [True, False, True]
    clock.now += 1_000_000
    await fleet.suspend_idle()
    assert [fleet.running(endpoint) is not None for endpoint in (default, short, never)] == [False, False, True]


async def test_a_compute_with_a_client_is_not_suspended_however_long_it_is_idle(
    cloud: NeonCloud, api: httpx.AsyncClient, clock: Clock
) -> None:
    fleet = control_of(cloud).fleet
    _, endpoint, uri = await make_project(api)
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as session:
        clock.now += 10_000
        await fleet.suspend_idle()
        assert await (await session.execute("SELECT 1")).fetchone() == (1,)
    while fleet.clients(endpoint):  # noqa: ASYNC110 - the proxy hears of the end in its own time
        await asyncio.sleep(0.01)
    clock.now += 299
    await fleet.suspend_idle()
    assert fleet.running(endpoint) is not None
    clock.now += 1
    await fleet.suspend_idle()
    assert fleet.running(endpoint) is None


async def test_a_client_calls_off_the_copy_of_a_stopped_branch_instead_of_waiting_for_it(
    cloud: NeonCloud, api: httpx.AsyncClient
) -> None:
    control = control_of(cloud)
    project, endpoint, uri = await make_project(api)
    await api.post(f"/projects/{project}/endpoints/{endpoint}/suspend")
    record = control.store.one(Endpoint, id=endpoint)
    assert record is not None
    async with control.fleet.cold(record.branch_id) as wanted:
        client = asyncio.create_task(psycopg.AsyncConnection.connect(uri))
        await asyncio.wait_for(asyncio.to_thread(wanted.wait, 10), 10)
        assert wanted.is_set()
        assert not client.done()
    await (await client).close()


async def test_a_branch_whose_copy_was_called_off_is_made_from_the_running_parent(
    cloud: NeonCloud, api: httpx.AsyncClient
) -> None:
    fleet = control_of(cloud).fleet
    project, endpoint, uri = await make_project(api)
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as session:
        await session.execute("CREATE TABLE t AS SELECT generate_series(1, 100000) AS n")
    await api.post(f"/projects/{project}/endpoints/{endpoint}/suspend")
    body = {"endpoints": [{"type": "read_write"}]}
    branching = asyncio.create_task(api.post(f"/projects/{project}/branches", json=body))
    while not fleet._cold_copies:  # noqa: ASYNC110 - the copy itself gives no sign
        await asyncio.sleep(0.001)
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as session:
        assert await (await session.execute("SELECT count(*) FROM t")).fetchone() == (100_000,)
    made = (await branching).json()
    child = made["connection_uris"][0]["connection_uri"]
    async with await psycopg.AsyncConnection.connect(child, autocommit=True) as session:
        assert await (await session.execute("SELECT count(*) FROM t")).fetchone() == (100_000,)


async def test_an_operation_that_runs_too_long_makes_the_next_one_423(cloud: NeonCloud, api: httpx.AsyncClient) -> None:
    control = control_of(cloud)
    control.patience = 0.05
    project, _, _ = await make_project(api)
    async with control.exclusive(project):
        refused = await api.post(f"/projects/{project}/branches", json={})
    assert refused.status_code == 423
    assert "already has running conflicting operations" in refused.json()["message"]
    assert (await api.post(f"/projects/{project}/branches", json={})).status_code == 201


async def test_changes_to_one_project_wait_for_each_other(cloud: NeonCloud, api: httpx.AsyncClient) -> None:
    control_of(cloud).patience = 60
    project, _, _ = await make_project(api)
    bodies = [{"branch": {"name": f"b{number}"}} for number in range(3)]
    answers = await asyncio.gather(*(api.post(f"/projects/{project}/branches", json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [201, 201, 201]


async def test_a_state_folder_serves_one_cloud(cloud: NeonCloud, tmp_path: Path) -> None:
    other = NeonCloud(tmp_path / "state", api_key="k", api_port=0, proxy_port=0)
    with pytest.raises(AlreadyRunningError, match="stop it first"):
        await other.start()
    assert cloud.control is not None


async def test_a_cloud_that_cannot_have_its_port_leaves_nothing_running(cloud: NeonCloud, tmp_path: Path) -> None:
    other = NeonCloud(tmp_path / "other", api_key="k", api_port=cloud.api_port, proxy_port=0)
    with pytest.raises(OSError, match="address already in use"):
        await other.start()
    assert not (tmp_path / "other" / "sockets").exists()
