"""A create has its effect and its reply is lost while the engine lives on: recovery and an up converge, one of each.

Each thing that an environment makes, in turn, and for each the three ways to lose a reply: the connection is dropped,
the plugin that waits is killed, or it hangs until somebody kills it. No pending operation is left in any of them. One
run has each thing and each way once; with ALL_FAULTS=1 there are three runs, which have all of the table.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx
import psutil
import pytest

from localcloud.cloud import Cloud
from localcloud.program import CommandError
from tests.e2e.conftest import World, make_world
from tests.faults.between import SECONDS, Between, Lost
from tests.faults.test_kill import end, start

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WAYS = ("dropped", "killed", "hung")
SHIFTS = range(len(WAYS)) if os.environ.get("ALL_FAULTS") else range(1)
NEON, VERCEL, OWN = (
    "localcloud.plugins.serve terraform-provider",
    "localcloud.plugins.serve vercel",
    "environments.plugin",
)


@dataclass(frozen=True)
class Request:
    """A request whose reply is lost: to which API, and which process waits for it."""

    api: str
    path: str
    plugin: str


PROJECTS = (Request("neon", r".*/projects", NEON), Request("vercel", r"/v\d+/projects", VERCEL))
BRANCH = (Request("neon", r".*/branches", NEON),)
COMPUTE = (Request("neon", r".*/endpoints", NEON),)
LOGIN = (Request("neon", r".*/reset_password", OWN),)
VARIABLE = (Request("vercel", r".*/env", VERCEL),)
DEPLOYMENT = (Request("vercel", r"/v\d+/deployments", OWN),)


@dataclass(frozen=True)
class Faulty:
    """A program whose way to both APIs goes through a proxy each."""

    world: World
    apis: dict[str, Between]

    def loses(self, stack: str, way: str, *requests: Request) -> None:
        """Run an update that loses the replies to `requests`, and fails for it while its engine lives on."""
        with ExitStack() as faults:
            lost = [
                faults.enter_context(self.apis[each.api].lose("POST", each.path, hold=way != "dropped"))
                for each in requests
            ]
            engine = start(self.world, stack)
            try:
                if way != "dropped":
                    self._pull(engine, way, dict(zip(requests, lost, strict=True)))
                said = engine.communicate(timeout=SECONDS)[0]
            finally:
                if engine.poll() is None:
                    end([*psutil.Process(engine.pid).children(recursive=True), psutil.Process(engine.pid)])
                    engine.communicate()
        assert engine.returncode, said
        assert "update failed" in said, "the engine lived on and said so"
        assert not self.world.state(stack)["deployment"].get("pending_operations")

    def _pull(self, engine: subprocess.Popen[str], way: str, waiting: dict[Request, Lost]) -> None:
        for lost in waiting.values():
            assert lost.happened.wait(SECONDS), "the request was never sent"
        children = psutil.Process(engine.pid).children(recursive=True)
        for request in waiting:
            (plugin,) = (each for each in children if request.plugin in command(each))
            if way == "hung":
                plugin.send_signal(signal.SIGSTOP)
                time.sleep(0.5)
                assert engine.poll() is None, "the engine waits for a plugin that hangs"
            plugin.kill()

    def recover(self, stack: str) -> str:
        return self.world.environments("recover", "-s", stack).split("Duration:")[-1]

    def there(self, api: str, path: str) -> Any:
        cloud = self.world.cloud
        host = cloud.neon_api_host if api == "neon" else cloud.vercel_api_url
        token = cloud.neon_api_key if api == "neon" else cloud.vercel_api_token
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{host}{path}", headers=headers, timeout=SECONDS).raise_for_status().json()

    def asked(self, method: str, path: str, body: Any = None) -> Any:
        cloud = self.world.cloud
        headers = {"Authorization": f"Bearer {cloud.neon_api_key}"}
        answer = httpx.request(method, f"{cloud.neon_api_host}{path}", json=body, headers=headers, timeout=SECONDS)
        return answer.raise_for_status().json()


def command(process: psutil.Process) -> str:
    """Return the command line of a process, nothing of one that has ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


@contextmanager
def between(cloud: Cloud) -> Iterator[tuple[Cloud, dict[str, Between]]]:
    neon, vercel = Between(cloud.ports.neon_api), Between(cloud.ports.vercel_api)
    with neon.running(), vercel.running():
        ports = replace(cloud.ports, neon_api=neon.port, vercel_api=vercel.port)
        yield replace(cloud, ports=ports), {"neon": neon, "vercel": vercel}


@pytest.mark.parametrize("shift", SHIFTS)
def test_whichever_reply_is_lost_recovery_and_an_up_make_one_of_each_thing(
    emptied: Cloud, tmp_path_factory: pytest.TempPathFactory, shift: int
) -> None:
    name = f"lost-replies-{shift}"
    with between(emptied) as (cloud, apis):
        world = make_world(cloud, tmp_path_factory.mktemp(name), name)
        faulty = Faulty(world, apis)
        ways = [WAYS[(place + shift) % len(WAYS)] for place in range(7)]
        world.select("dev")

        faulty.loses("dev", ways[0], *PROJECTS)
        refused = world.refused("preview", "-s", "dev")
        assert f"Neon has a project {name} already" in refused
        assert "Run environments recover -s dev" in refused
        said = faulty.recover("dev")
        assert said.count("this stack made it, and it is taken over") == 2

        faulty.loses("dev", ways[1], *BRANCH)
        assert "dev (neon:index/branch:Branch): it exists as br-" in faulty.recover("dev")
        faulty.loses("dev", ways[2], *COMPUTE)
        assert "dev (neon:index/endpoint:Endpoint): it exists as ep-" in faulty.recover("dev")
        faulty.loses("dev", ways[0], *LOGIN)  # our own resources find what they made: an up alone goes on
        faulty.loses("dev", ways[1], *VARIABLE)
        assert "ProjectEnvironmentVariable): it exists as" in faulty.recover("dev")
        world.up("dev")
        world.fill("dev", "dev")

        world.select("prod")
        what_somebody_else_made_is_refused_and_left_as_it_is(faulty)
        faulty.loses("prod", ways[1], *DEPLOYMENT)
        faulty.loses("prod", ways[2], *VARIABLE)
        assert "ProjectEnvironmentVariable): it exists as" in faulty.recover("prod")
        world.up("prod")

        one_of_each(faulty, name)
        for stack in ("dev", "prod"):
            before = resources(world, stack)
            said = faulty.recover(stack)
            assert "taken over" not in said
            assert "forgotten" not in said
            assert resources(world, stack) == before
            world.up(stack, "--expect-no-changes")


def what_somebody_else_made_is_refused_and_left_as_it_is(faulty: Faulty) -> None:
    """A branch of the wanted name is a copy of another branch than the stack file says."""
    world = faulty.world
    branches = f"/projects/{world.outputs('dev')['projects']['neon']}/branches"
    made = faulty.asked("POST", branches, {"branch": {"name": "prod-v1"}})["branch"]
    refused = world.refused("preview", "-s", "prod")
    assert f"has a branch prod-v1 already, {made['id']}" in refused
    with pytest.raises(CommandError) as recovered:
        world.environments("recover", "-s", "prod")
    wanted = world.outputs("dev")["branches"]["dev"]
    said = " ".join(str(recovered.value).split())
    assert f"which is a copy of {made['parent_id']}: this stack wants a copy of {wanted}" in said
    assert "run environments adopt -s prod" in said
    assert faulty.there("neon", f"{branches}/{made['id']}")["branch"]["name"] == "prod-v1"
    faulty.asked("DELETE", f"{branches}/{made['id']}")


def one_of_each(faulty: Faulty, name: str) -> None:
    world = faulty.world
    outputs = {stack: world.outputs(stack) for stack in ("dev", "prod")}
    neon, vercel = outputs["dev"]["projects"]["neon"], outputs["dev"]["projects"]["vercel"]
    assert [each["id"] for each in faulty.there("neon", "/projects")["projects"] if each["name"] == name] == [neon]
    hosted = faulty.there("vercel", "/v10/projects")["projects"]
    assert [each["id"] for each in hosted if each["name"] == name] == [vercel]
    branches = faulty.there("neon", f"/projects/{neon}/branches")["branches"]
    assert Counter(each["name"] for each in branches) == {"main": 1, "dev": 1, "prod-v1": 1}
    computes = faulty.there("neon", f"/projects/{neon}/endpoints")["endpoints"]
    assert Counter(each["branch_id"] for each in computes) == {each["id"]: 1 for each in branches}
    variables = faulty.there("vercel", f"/v10/projects/{vercel}/env")["envs"]
    targets = Counter((each["key"], tuple(sorted(each["target"]))) for each in variables)
    keys = ("DATABASE_URL", "DATABASE_URL_UNPOOLED")
    assert targets == {(key, target): 1 for key in keys for target in (("production",), ("development", "preview"))}
    deployments = faulty.there("vercel", f"/v6/deployments?projectId={vercel}")["deployments"]
    assert [each["uid"] for each in deployments] == [outputs["prod"]["served"]["deployment"]]
    roles = world.sql("prod", "prod-v1", "SELECT rolname FROM pg_roles WHERE rolname LIKE 'app_%' AND rolcanlogin")
    assert roles == [("app_prod_1",)]
    assert world.health(outputs["prod"]["domain"])["branch"] == outputs["prod"]["branches"]["prod-v1"]


def resources(world: World, stack: str) -> dict[str, str]:
    """Return what a state holds of each resource, without when it was looked at."""
    kept = {"id", "inputs", "outputs", "protect"}
    state = json.loads(world.pulumi("stack", "export", "-s", stack, "--show-secrets"))
    found = state["deployment"]["resources"]
    return {each["urn"]: json.dumps({key: each.get(key) for key in kept}, sort_keys=True) for each in found}
