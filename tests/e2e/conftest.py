"""One local cloud for all end-to-end tests; each module gets projects, stacks and a copy of the program of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from localcloud import engine, lifecycle
from localcloud.cloud import ROOT, Cloud
from localcloud.program import CommandError, Program
from localcloud.workspace import make_workspace
from tests.warm import starts

DEVS = {"stack": "dev", "branch": "dev"}
FROM_DEV = {"from": DEVS}
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""What tells a secret in the engine's state from other objects."""
AS_PRODUCTION = {"min_cu": 1, "max_cu": 4, "suspend": "never"}
"""The compute that Pulumi.prod.yaml asks for."""


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A running local cloud, apart from the one of the checkout."""
    state = tmp_path_factory.mktemp("cloud")
    os.environ["LOCALCLOUD_PORTS"] = "any"  # several test processes, several clouds
    started = lifecycle.start(state).cloud
    engine.install_plugins(started.pulumi_home)
    with starts.warm_starts(started.pulumi_home, tmp_path_factory.mktemp("engine")):
        yield started
    lifecycle.stop(state)


class World(Program):
    """A copy of the program, with what the tests ask of it again and again."""

    def run(self, *command: str, env: dict[str, str] | None = None, cwd: str = ".") -> str:
        """Run a command in the copy, with the engine's hosts and plugins started from what is loaded."""
        return super().run(*command, env=starts.warm(self.environment) | (env or {}), cwd=cwd)

    def bring_up_dev(self) -> None:
        """Make the projects and dev, and give dev the app's schema and some rows."""
        self.select("dev")
        self.up("dev")
        self.fill("dev", "dev")

    def share_key(self) -> None:
        """Let production's secrets have dev's key, before production is made.

        The engine works for 0.2 s of each command at a key, which it remembers by its salt. Two keys are the business
        of test_reading_other_stacks.py and test_first_up.py.
        """
        salt = yaml.safe_load(self.stack_file("dev").read_text())["encryptionsalt"]
        with self.stack_file("prod").open("a") as file:
            file.write(f"encryptionsalt: {salt}\n")

    def bring_up_prod(self) -> None:
        """Make production, serving prod-v1."""
        self.select("prod")
        self.up("prod")

    def environments(self, *arguments: str) -> str:
        """Run our own command in the copy; return what it printed."""
        return self.run(sys.executable, "-m", "environments", *arguments)

    def promote(self, branch: str, *arguments: str) -> str:
        """Clone dev as `branch` if it isn't there yet, serve it, and return what pulumi up printed."""
        self.edit("prod", branches=self.setting("prod", "branches") | {branch: FROM_DEV}, serve=branch)
        return self.up("prod", *arguments)

    def serving(self) -> dict[str, Any]:
        """Return what the app answers at production's domain, with its branch's key in place of the id."""
        outputs = self.outputs("prod")
        health = self.health(outputs["domain"])
        keys = {branch: key for key, branch in outputs["branches"].items()}
        return health | {"branch": keys.get(health["branch"], health["branch"])}

    def served_id(self) -> str:
        """Return the id of the branch that answers at production's domain."""
        return str(self.health(self.outputs("prod")["domain"])["branch"])

    def deployments(self) -> set[str]:
        """Return the ids of the deployments that production remembers."""
        return {built["deployment"] for built in self.resource("prod", ":Deployment::served")["outputs"]["built"]}

    def refused(self, *command: str) -> str:
        """Run pulumi, which must fail, and return what it said in one line."""
        with pytest.raises(CommandError) as error:
            self.pulumi(*command)
        return " ".join(str(error.value).split())

    def sql(self, stack: str, branch: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of a branch's database."""
        with psycopg.connect(self.owner_url(stack, branch), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def orders(self, stack: str, branch: str) -> int:
        """Count a branch's orders."""
        return int(self.sql(stack, branch, "SELECT count(*) FROM orders")[0][0])

    def add_orders(self, stack: str, branch: str, count: int) -> None:
        """Add orders to a branch."""
        statement = (
            "INSERT INTO orders (customer_id) SELECT (SELECT min(id) FROM customers) FROM generate_series(1, {})"
        )
        self.sql(stack, branch, statement.format(count))

    def app_url(self, stack: str, branch: str) -> str:
        """Return the app's own direct URL of a branch, from the decrypted state."""
        state = json.loads(self.pulumi("stack", "export", "-s", stack, "--show-secrets"))
        resources = state["deployment"]["resources"]
        access = next(found for found in resources if found["urn"].endswith(f"environments:index:AppLogin::{branch}"))
        return str(json.loads(access["outputs"]["directUrl"]["plaintext"]))

    def post(self, path: str, host: str) -> int:
        """Return the status of a POST that a visitor of `host` sends."""
        body = {"productId": 1, "quantity": 1}
        return httpx.post(f"{self.cloud.vercel_edge_url}{path}", headers={"Host": host}, json=body).status_code

    def deployed_on(self, branch: str) -> str:
        """Return the host of the deployment that was built for a branch of production."""
        wanted = self.outputs("prod")["branches"][branch]
        built = next(
            found for found in self.state("prod")["deployment"]["resources"] if found["type"].endswith(":Cutover")
        )
        deployment = built["outputs"]["history"][wanted]["deployment"]
        headers = {"Authorization": f"Bearer {self.cloud.vercel_api_token}"}
        answer = httpx.get(f"{self.cloud.vercel_api_url}/v13/deployments/{deployment}", headers=headers)
        return str(answer.raise_for_status().json()["url"])

    def serving_deployment(self) -> str:
        """Return the id of the deployment that has production's domain."""
        project = self.outputs("prod")["projects"]["vercel"]
        headers = {"Authorization": f"Bearer {self.cloud.vercel_api_token}"}
        answer = httpx.get(f"{self.cloud.vercel_api_url}/v9/projects/{project}", headers=headers)
        return str(answer.raise_for_status().json()["targets"]["production"]["id"])

    def forget(self, ending: str) -> None:
        """Take the resource whose URN ends so out of production's state, as if that was lost in part."""
        state = self.state("prod")
        resources = state["deployment"]["resources"]
        urn = next(found["urn"] for found in resources if found["urn"].endswith(ending))
        state["deployment"]["resources"] = [found for found in resources if found["urn"] != urn]
        for found in state["deployment"]["resources"]:
            found["dependencies"] = [other for other in found.get("dependencies", []) if other != urn]
            for key, others in found.get("propertyDependencies", {}).items():
                found["propertyDependencies"][key] = [other for other in others or [] if other != urn]
        self.import_state("prod", state)

    def resource(self, stack: str, ending: str) -> dict[str, Any]:
        """Return the resource whose URN ends so, as it lies in a stack's state."""
        resources = self.state(stack)["deployment"]["resources"]
        return dict(next(found for found in resources if found["urn"].endswith(ending)))

    def put_back(self, stack: str, resource: dict[str, Any]) -> None:
        """Give a resource the state that it had, as if what came after had not been written down."""
        state = self.state(stack)
        resources = state["deployment"]["resources"]
        place = next(place for place, found in enumerate(resources) if found["urn"] == resource["urn"])
        resources[place] = resource
        self.import_state(stack, state)

    def import_state(self, stack: str, state: dict[str, Any]) -> None:
        """Have the backend hold another state of a stack."""
        file = self.folder / "state.json"
        file.write_text(json.dumps(state))
        self.pulumi("stack", "import", "--file", str(file), "-s", stack)
        file.unlink()

    def state(self, stack: str) -> dict[str, Any]:
        """Return a stack's state as `pulumi stack export` prints it, read where the backend keeps it."""
        written: dict[str, Any] = json.loads(self._state_file(stack).read_text())
        return {key: written[key] for key in written if key != "checkpoint"} | {
            "deployment": written["checkpoint"]["latest"]
        }

    def outputs(self, stack: str) -> dict[str, Any]:
        """Return what the stack exports as `pulumi stack output` prints it, read in the same way.

        The engine takes 0.2 s to print what has been written down; tests ask for it hundreds of times.
        """
        resources = self.state(stack)["deployment"]["resources"]
        own = next(found for found in resources if found["type"] == "pulumi:pulumi:Stack")
        return {
            name: "[secret]" if isinstance(value, dict) and SIGNATURE in value else value
            for name, value in own.get("outputs", {}).items()
        }

    def _state_file(self, stack: str) -> Path:
        assert self.backend is not None, "each world has one"
        (file,) = self.backend.glob(f".pulumi/stacks/*/{stack}.json")
        return file


@pytest.fixture(scope="module")
def emptied(cloud: Cloud) -> Iterator[Cloud]:
    """The cloud, from which a module's projects go when it ends: what runs in them takes time from the next."""
    yield cloud
    delete_projects(cloud)


def delete_projects(cloud: Cloud) -> None:
    """Delete the projects in both halves of the cloud; Neon keeps one with a protected branch."""
    clouds = {
        (cloud.neon_api_host, cloud.neon_api_key): ("/projects", "/projects"),
        (cloud.vercel_api_url, cloud.vercel_api_token): ("/v10/projects", "/v9/projects"),
    }
    for (host, token), (listed, one) in clouds.items():
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            for project in client.get(f"{host}{listed}").raise_for_status().json()["projects"]:
                answer = client.delete(f"{host}{one}/{project['id']}")
                assert answer.is_success or answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text


def make_world(cloud: Cloud, folder: Path, name: str) -> World:
    """Return a copy of the program whose dev makes projects called `name`."""
    (backend := folder / "backend").mkdir()
    world = World(make_workspace(ROOT, folder / "program"), cloud, backend)
    world.edit("dev", project={"name": name})
    starts.warm_plugin(world.folder)
    return world


@pytest.fixture(scope="module")
def bare(emptied: Cloud, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> World:
    """A copy of the program with nothing brought up."""
    name = Path(request.path).stem.removeprefix("test_").replace("_", "-")
    return make_world(emptied, tmp_path_factory.mktemp(name), name)


@pytest.fixture(scope="module")
def world(bare: World) -> World:
    """Dev with rows, and production serving prod-v1."""
    bare.bring_up_dev()
    bare.share_key()
    bare.bring_up_prod()
    return bare
