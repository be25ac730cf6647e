"""Our own clients don't have the providers' defects: what failed is an error, what was refused is not done twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from environments.clients import http
from environments.clients import neon as neon_api
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.neon import Address, Neon, OperationFailedError
from environments.clients.postgres import NotReadyError
from environments.ids import (
    BranchId,
    BranchKey,
    DatabaseName,
    EndpointId,
    Fingerprint,
    NeonProject,
    RoleName,
    VariableId,
    VercelProject,
)
from environments.resources import ready, variable_drift
from environments.resources.ready import Ready
from environments.resources.variable_drift import VariableDrift, VariableDriftError
from tests.localcloud.plugins.recorder import Answer, Recorder, Request, served

ADDRESS = Address(NeonProject("p"), BranchId("br-1"), EndpointId("ep-1"), DatabaseName("shop"), RoleName("owner"))
RESET = "POST /projects/p/branches/br-1/roles/owner/reset_password"
SECRET = "postgresql://app:made-up-word@host/shop"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Neon and Vercel at once; `answers` says what they answer to which request."""
    recorder = Recorder(lambda request: (404, {"message": f"no answer to {request}"}))
    with served(recorder):
        for name in ("NEON_API_HOST", "VERCEL_API_URL"):
            monkeypatch.setenv(name, recorder.url)
        for name in ("NEON_API_KEY", "VERCEL_API_TOKEN"):
            monkeypatch.setenv(name, "made-up")
        monkeypatch.setattr(http, "_FIRST_PAUSE", 0.001)
        yield recorder


def answering(api: Recorder, **answers: Any) -> None:
    """Answer a request whose path ends with a word with its body."""

    def answer(request: Request) -> Answer:
        return 200, answers[request.path.rpartition("/")[2]]

    api.answer = answer


@pytest.mark.parametrize("status", [423, 429, 503])
def test_what_was_refused_for_now_is_asked_again_and_done_once(api: Recorder, status: int) -> None:
    answering(api, reset_password={"operations": []})
    api.fail("reset_password", status, times=2)
    with Neon() as neon:
        neon.reset_password(ADDRESS.project, ADDRESS.branch, ADDRESS.owner)
    assert api.taken() == [RESET] * 3


@pytest.mark.parametrize("status", [500, 502, 504])
def test_what_may_have_been_done_is_not_asked_for_twice(api: Recorder, status: int) -> None:
    api.fail("reset_password", status)
    with Neon() as neon, pytest.raises(ApiError, match=str(status)):
        neon.reset_password(ADDRESS.project, ADDRESS.branch, ADDRESS.owner)
    assert api.taken() == [RESET]


def test_throttling_without_end_is_an_error(api: Recorder) -> None:
    api.fail("GET", 429, "slow down")
    with Neon() as neon, pytest.raises(ApiError, match="Neon answered 429 made_up to GET /projects/p/branches/br-1"):
        neon.branch(ADDRESS.project, ADDRESS.branch)
    assert len(api.taken()) == 6


def test_an_operation_that_failed_is_an_error(api: Recorder) -> None:
    operation = {"id": "op-1", "action": "apply_config", "status": "running"}
    answering(api, reset_password={"operations": [operation]}, **{"op-1": {"operation": {"status": "failed"}}})
    with Neon() as neon, pytest.raises(OperationFailedError, match="apply_config ended as failed"):
        neon.reset_password(ADDRESS.project, ADDRESS.branch, ADDRESS.owner)


def test_an_operation_that_never_ends_is_an_error(api: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neon_api, "_OPERATION_DEADLINE", 0.05)
    operation = {"id": "op-1", "action": "apply_config", "status": "running"}
    answering(api, reset_password={"operations": [operation]}, **{"op-1": {"operation": operation}})
    with Neon() as neon, pytest.raises(OperationFailedError, match="still running"):
        neon.reset_password(ADDRESS.project, ADDRESS.branch, ADDRESS.owner)


def test_a_url_without_a_password_is_not_taken(api: Recorder) -> None:
    answering(api, connection_uri={"uri": "postgresql://owner:@host/shop"})
    with Neon() as neon, pytest.raises(OperationFailedError, match="Neon gave no password for owner on br-1"):
        neon.uri(ADDRESS, pooled=False)


COMPUTE = {
    "id": "ep-1",
    "branch_id": ADDRESS.branch,
    "type": "read_write",
    "autoscaling_limit_min_cu": 1,
    "autoscaling_limit_max_cu": 1,
    "created_at": "2026-11-01T12:00:00Z",
}


@pytest.mark.parametrize(
    ("types", "found"), [(("read_only", "read_write"), "ep-1"), (("read_only",), None), ((), None)]
)
def test_a_branch_is_reached_by_its_compute_that_can_write_not_by_a_replica(
    api: Recorder, types: tuple[str, ...], found: str | None
) -> None:
    computes = [COMPUTE | {"id": f"ep-{n}", "type": type_} for n, type_ in enumerate(types)]
    answering(api, endpoints={"endpoints": computes})
    with Neon() as neon:
        address = neon.address_of(ADDRESS.project, ADDRESS.branch, ADDRESS.database, ADDRESS.owner)
    assert (address.endpoint if address else None) == found


def test_the_app_never_gets_a_url_without_a_password(api: Recorder) -> None:
    answering(api, endpoints={"endpoints": [COMPUTE]})
    inputs = ready.Inputs(
        name=BranchKey("dev"),
        address=ADDRESS,
        pooled_url=SECRET,
        direct_url="postgresql://app:@host/shop",
        fingerprint=Fingerprint("f"),
    )
    with pytest.raises(NotReadyError, match="the direct URL of branch br-1 has no password"):
        Ready().create(inputs)


def test_a_service_that_is_not_there_is_told_without_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_FIRST_PAUSE", 0.001)
    monkeypatch.setenv("NEON_API_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("NEON_API_KEY", "made-up")
    with Neon() as neon, pytest.raises(ApiUnreachableError, match="Neon could not be reached for GET"):
        neon.branch(ADDRESS.project, ADDRESS.branch)


def test_a_value_that_vercel_repeats_in_its_refusal_is_not_shown(api: Recorder) -> None:
    api.fail("PATCH", 400, f"{SECRET} or made-up-word is no value")
    inputs = variable_drift.Inputs(
        project=VercelProject("p"),
        variables={"URL": VariableId("env-1")},
        values={"URL": SECRET},
        fingerprint=Fingerprint("f"),
    )
    with pytest.raises(VariableDriftError) as error:
        VariableDrift().create(inputs)
    assert "made-up-word" not in str(error.value)
