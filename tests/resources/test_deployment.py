"""Which deployment a branch gets: the one that served it, one that was started and not written down, or a new build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from environments.clients.app_files import app_digest
from environments.clients.vercel import DeploymentFailedError
from environments.ids import BranchId, DeploymentId
from environments.plugin.registry import resource_of
from environments.props import is_secret
from environments.resources import deployment
from environments.resources.deployment import Deployment, Inputs, Outputs
from environments.resources.typed import State
from tests.localcloud.plugins.recorder import Answer, Recorder, Request, served
from tests.resources.test_deployment_waits import RUNS

OTHER = BranchId("br-2")


class Hosting:
    """Vercel, as far as a Deployment asks it: each order is built at once."""

    def __init__(self) -> None:
        self.deployments: dict[str, dict[str, Any]] = {}
        self.orders: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Answer:
        if request.path == "/v9/projects/prj_1":
            production = {"id": "dpl_pushed"}
            return 200, {"id": "prj_1", "name": "shop", "createdAt": 0, "targets": {"production": production}}
        if request.path == "/v6/deployments":
            wanted = dict(pair.removeprefix("meta-").split("=") for pair in request.query.split("&") if "meta-" in pair)
            found = [each for each in self.deployments.values() if wanted.items() <= each["meta"].items()]
            return 200, {"deployments": found[::-1]}
        if request.method == "POST":
            self.orders.append(request.body)
            return 200, self.has(f"dpl_{len(self.orders)}", request.body["meta"])
        found_one = self.deployments.get(request.path.rpartition("/")[2])
        return (200, found_one) if found_one else (404, {"error": {"code": "not_found"}})

    def has(self, name: str, meta: dict[str, str]) -> dict[str, Any]:
        self.deployments[name] = {"id": name, "url": f"{name}.example", "readyState": "READY", "meta": meta}
        return self.deployments[name]


@pytest.fixture
def hosting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosting]:
    """Vercel, over HTTP."""
    hosting = Hosting()
    with served(Recorder(hosting)) as recorder:
        monkeypatch.setenv("VERCEL_API_URL", recorder.url)
        monkeypatch.setenv("VERCEL_API_TOKEN", "made-up")
        monkeypatch.delenv("VERCEL_TEAM", raising=False)
        yield hosting


@pytest.fixture
def runs(tmp_path: Path) -> Inputs:
    """The inputs of an app that is there."""
    (tmp_path / "index.js").write_text("export default 1")
    return replace(RUNS, path=str(tmp_path), digest=app_digest(tmp_path) or "")


def created(inputs: Inputs) -> State[Inputs, Outputs]:
    id_, outputs = Deployment().create(inputs)
    return State(id_, inputs, outputs)


def updated(old: State[Inputs, Outputs], inputs: Inputs) -> State[Inputs, Outputs]:
    return State(old.id, inputs, Deployment().update(old, inputs))


def last_served_by(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """Let each branch have noted that this deployment served it last."""
    monkeypatch.setattr(deployment, "last_served", lambda _url, _branch: DeploymentId(name) if name else None)


def test_the_first_is_built_with_the_urls_of_its_branch_and_bears_its_marks(hosting: Hosting, runs: Inputs) -> None:
    made = created(runs)
    (order,) = hosting.orders
    assert order["env"] == {"DATABASE_URL": runs.pooled_url, "DATABASE_URL_UNPOOLED": runs.direct_url}
    assert order["build"]["env"] == order["env"]
    assert order["autoAssignCustomDomains"] is False
    assert order["meta"] == {
        "neonProject": runs.neon_project,
        "neonBranch": runs.branch,
        "credentials": runs.fingerprint,
        "app": runs.digest,
    }
    assert (made.outputs.deployment, made.outputs.url) == ("dpl_1", "dpl_1.example")


def test_a_branch_that_returns_gets_the_deployment_that_served_it_last(
    hosting: Hosting, runs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = created(runs)
    second = updated(first, replace(runs, branch=OTHER))
    assert second.outputs.deployment == "dpl_2"
    last_served_by(monkeypatch, "dpl_1")
    back = updated(second, replace(runs, digest="another app"))
    assert back.outputs.deployment == "dpl_1", "whatever the app is now"
    assert [each.deployment for each in back.outputs.built] == ["dpl_2", "dpl_1"]
    assert back.outputs.built[-1].digest == runs.digest, "what is inside it is remembered as it is"
    assert len(hosting.orders) == 2


@pytest.mark.usefixtures("hosting")
@pytest.mark.parametrize(
    ("note", "gets"), [("dpl_1", "dpl_1"), ("dpl_2", "dpl_2"), (None, "dpl_4"), ("dpl_9", "dpl_4")]
)
def test_of_several_deployments_the_branch_knows_which_one_served_it(
    runs: Inputs, monkeypatch: pytest.MonkeyPatch, note: str | None, gets: str
) -> None:
    def edited(state: State[Inputs, Outputs], text: str, branch: BranchId) -> State[Inputs, Outputs]:
        (Path(runs.path) / "index.js").write_text(text)
        return updated(state, replace(runs, digest=app_digest(Path(runs.path)) or "", branch=branch))

    second = edited(created(runs), "export default 2", BranchId("br-1"))
    third = edited(second, "export default 3", OTHER)
    assert third.outputs.deployment == "dpl_3"
    last_served_by(monkeypatch, note)
    assert edited(third, "export default 4", BranchId("br-1")).outputs.deployment == gets


def test_another_app_is_built_and_one_that_was_built_before_is_not(hosting: Hosting, runs: Inputs) -> None:
    first = created(runs)
    app = Path(runs.path)
    (app / "index.js").write_text("export default 2")
    second = updated(first, replace(runs, digest=app_digest(app) or ""))
    assert second.outputs.deployment == "dpl_2"
    assert updated(second, runs).outputs.deployment == "dpl_1"
    assert len(hosting.orders) == 2


def test_a_deployment_that_is_gone_at_vercel_is_built_again(hosting: Hosting, runs: Inputs) -> None:
    first = created(runs)
    hosting.deployments.clear()
    again = updated(first, runs)
    assert again.outputs.deployment == "dpl_2"
    assert [each.deployment for each in again.outputs.built] == ["dpl_1", "dpl_2"]


def test_a_deployment_that_was_started_and_not_written_down_is_taken_over(hosting: Hosting, runs: Inputs) -> None:
    created(runs)
    assert created(runs).outputs.deployment == "dpl_1"
    assert len(hosting.orders) == 1


def test_files_that_changed_since_the_plan_are_not_deployed(hosting: Hosting, runs: Inputs) -> None:
    with pytest.raises(DeploymentFailedError, match=r"the files in .* changed during this update: run pulumi up again"):
        created(replace(runs, digest="planned"))
    assert hosting.orders == []


def test_without_a_folder_production_is_deployed_once_more(hosting: Hosting, runs: Inputs) -> None:
    created(replace(runs, path="", digest=""))
    (order,) = hosting.orders
    assert order["deploymentId"] == "dpl_pushed"
    assert "files" not in order


def test_its_state_survives_the_engine_and_holds_each_url_once_and_secret(hosting: Hosting, runs: Inputs) -> None:
    kind = resource_of("environments:index:Deployment")
    assert isinstance(kind, Deployment)
    made = updated(created(runs), replace(runs, branch=OTHER))
    inputs, outputs = kind.encoded(made.inputs), kind.encoded(made.outputs)
    assert kind.decoded_state(made.id, inputs, outputs) == made
    assert is_secret(inputs["pooledUrl"])
    assert is_secret(inputs["directUrl"])
    assert "postgresql://" not in json.dumps(outputs)
    assert len(hosting.orders) == 2
