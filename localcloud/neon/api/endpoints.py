"""Endpoints: the sizes, the sleep and the place of a branch's compute."""

from __future__ import annotations

import time
from dataclasses import replace

from localcloud.neon import identifiers, sizing
from localcloud.neon.api import views
from localcloud.neon.api.routing import NOTHING, Answer, Request, Routes, created, ok
from localcloud.neon.api.schemas import (
    BranchEndpoint,
    EndpointChange,
    EndpointCreation,
    EndpointDefaults,
    EndpointSettings,
    EndpointUpdate,
)
from localcloud.neon.compute import ComputeError
from localcloud.neon.control import READ_WRITE, ControlPlane
from localcloud.neon.errors import ConflictError, NotModelledError, PreconditionFailedError, UnprocessableError
from localcloud.neon.records import Branch, Endpoint


async def create_endpoint(control: ControlPlane, request: Request) -> Answer:
    """POST /projects/{project_id}/endpoints."""
    began = time.monotonic()
    body = request.body(EndpointCreation).endpoint
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        branch = control.branch(project_id, body.branch_id)
        _require_no_read_write_endpoint(control, branch.id)
        endpoint = planned_endpoint(control, branch, body)
        endpoint.name, endpoint.pooler_enabled, endpoint.disabled = body.name, body.pooler_enabled, body.disabled
        control.store.put(endpoint)
        if not endpoint.disabled:
            try:
                await control.fleet.wake(endpoint)
            except ComputeError:
                control.store.remove(endpoint)
                raise
            endpoint = control.endpoint(project_id, endpoint.id)
        noted = control.note(project_id, "start_compute", branch_id=branch.id, endpoint_id=endpoint.id, began=began)
    return created(endpoint=views.endpoint(control, endpoint), operations=views.operations(noted))


async def list_endpoints(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/endpoints."""
    project = control.project(request.path["project_id"])
    found = control.store.all(Endpoint, project_id=project.id)
    return ok(endpoints=[views.endpoint(control, endpoint) for endpoint in found])


async def list_branch_endpoints(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/endpoints."""
    branch = control.branch(request.path["project_id"], request.path["branch_id"])
    found = control.store.all(Endpoint, branch_id=branch.id)
    return ok(endpoints=[views.endpoint(control, endpoint) for endpoint in found])


async def get_endpoint(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/endpoints/{endpoint_id}."""
    endpoint = control.endpoint(request.path["project_id"], request.path["endpoint_id"])
    return ok(endpoint=views.endpoint(control, endpoint))


async def update_endpoint(control: ControlPlane, request: Request) -> Answer:
    """PATCH /projects/{project_id}/endpoints/{endpoint_id}; a running compute restarts only if that is needed."""
    began = time.monotonic()
    body = request.body(EndpointUpdate).endpoint
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        before = control.endpoint(project_id, request.path["endpoint_id"])
        was_active = control.is_active(before)
        after = _changed(control, before, body)
        control.touch(after)
        actions: list[str] = []
        if was_active and _needs_restart(before, after):
            # By the old record: its branch is where the compute runs.
            await control.fleet.suspend(before)
            actions.append("suspend_compute")
            if not after.disabled:
                await control.fleet.wake(control.endpoint(project_id, after.id))
                actions.append("start_compute")
        noted = control.note(
            project_id, *(actions or ["apply_config"]), branch_id=after.branch_id, endpoint_id=after.id, began=began
        )
        endpoint = control.endpoint(project_id, after.id)
    return ok(endpoint=views.endpoint(control, endpoint), operations=views.operations(noted))


async def delete_endpoint(control: ControlPlane, request: Request) -> Answer:
    """DELETE /projects/{project_id}/endpoints/{endpoint_id}."""
    began = time.monotonic()
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        endpoint = control.store.one(Endpoint, id=request.path["endpoint_id"], project_id=project_id)
        if endpoint is None:
            return NOTHING
        if control.branch(project_id, endpoint.branch_id).protected:
            raise UnprocessableError(f"cannot delete endpoint {endpoint.id} of a protected branch: unprotect it first")
        await control.refresh_inventory(control.branch(project_id, endpoint.branch_id))
        control.store.remove(endpoint)
        await control.fleet.suspend(endpoint)
        noted = control.note(
            project_id, "suspend_compute", branch_id=endpoint.branch_id, endpoint_id=endpoint.id, began=began
        )
    return ok(endpoint=views.endpoint(control, endpoint), operations=views.operations(noted))


async def start_endpoint(control: ControlPlane, request: Request) -> Answer:
    """POST …/endpoints/{endpoint_id}/start."""
    return await _run(control, request, "start_compute")


async def suspend_endpoint(control: ControlPlane, request: Request) -> Answer:
    """POST …/endpoints/{endpoint_id}/suspend."""
    return await _run(control, request, "suspend_compute")


async def restart_endpoint(control: ControlPlane, request: Request) -> Answer:
    """POST …/endpoints/{endpoint_id}/restart."""
    return await _run(control, request, "suspend_compute", "start_compute")


def planned_endpoint(control: ControlPlane, branch: Branch, body: BranchEndpoint) -> Endpoint:
    """An endpoint to be on this branch; refuses what Neon would, and what isn't modelled."""
    if body.type != READ_WRITE:
        raise NotModelledError("read_only endpoints are not modelled by the local cloud")
    _require_no_settings(body.settings)
    defaults = control.project(branch.project_id).default_endpoint_settings
    given = EndpointDefaults(**(defaults | body.model_dump(exclude_none=True)))
    endpoint = Endpoint(
        id=identifiers.endpoint_id(),
        project_id=branch.project_id,
        branch_id=branch.id,
        type=body.type,
        min_cu=sizing.DEFAULT_MIN_CU,
        max_cu=sizing.DEFAULT_MAX_CU,
    )
    _resize(endpoint, given)
    return endpoint


async def _run(control: ControlPlane, request: Request, *actions: str) -> Answer:
    began = time.monotonic()
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        endpoint = control.endpoint(project_id, request.path["endpoint_id"])
        if endpoint.disabled and "start_compute" in actions:
            raise PreconditionFailedError(f"endpoint {endpoint.id} is disabled: enable it first")
        if "suspend_compute" in actions:
            await control.fleet.suspend(endpoint)
        if "start_compute" in actions:
            await control.fleet.wake(endpoint)
        noted = control.note(project_id, *actions, branch_id=endpoint.branch_id, endpoint_id=endpoint.id, began=began)
        endpoint = control.endpoint(project_id, endpoint.id)
    return ok(endpoint=views.endpoint(control, endpoint), operations=views.operations(noted))


def _changed(control: ControlPlane, before: Endpoint, body: EndpointChange) -> Endpoint:
    _require_no_settings(body.settings)
    after = replace(before)
    _resize(after, body)
    if body.branch_id is not None and body.branch_id != before.branch_id:
        _require_no_read_write_endpoint(control, control.branch(before.project_id, body.branch_id).id)
        after.branch_id = body.branch_id
    after.name = before.name if body.name is None else body.name
    after.disabled = before.disabled if body.disabled is None else body.disabled
    after.pooler_enabled = before.pooler_enabled if body.pooler_enabled is None else body.pooler_enabled
    return after


def _resize(endpoint: Endpoint, given: EndpointDefaults) -> None:
    if given.autoscaling_limit_min_cu is not None:
        endpoint.min_cu = given.autoscaling_limit_min_cu
    if given.autoscaling_limit_max_cu is not None:
        endpoint.max_cu = given.autoscaling_limit_max_cu
    if given.suspend_timeout_seconds is not None:
        endpoint.suspend_timeout_seconds = given.suspend_timeout_seconds
    sizing.require_sizes(endpoint.min_cu, endpoint.max_cu)
    sizing.require_suspend_timeout(endpoint.suspend_timeout_seconds)


def _needs_restart(before: Endpoint, after: Endpoint) -> bool:
    names = ("min_cu", "max_cu", "disabled", "branch_id")
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _require_no_read_write_endpoint(control: ControlPlane, branch_id: str) -> None:
    existing = control.read_write_endpoint(branch_id)
    if existing is not None:
        raise ConflictError(f"read_write endpoint already exists on branch {branch_id}: {existing.id}")


def _require_no_settings(settings: EndpointSettings) -> None:
    if settings.pg_settings or settings.pgbouncer_settings:
        raise NotModelledError("pg_settings and pgbouncer_settings are not modelled by the local cloud")


ROUTES: Routes = (
    ("POST", "/projects/{project_id}/endpoints", create_endpoint),
    ("GET", "/projects/{project_id}/endpoints", list_endpoints),
    ("GET", "/projects/{project_id}/branches/{branch_id}/endpoints", list_branch_endpoints),
    ("GET", "/projects/{project_id}/endpoints/{endpoint_id}", get_endpoint),
    ("PATCH", "/projects/{project_id}/endpoints/{endpoint_id}", update_endpoint),
    ("DELETE", "/projects/{project_id}/endpoints/{endpoint_id}", delete_endpoint),
    ("POST", "/projects/{project_id}/endpoints/{endpoint_id}/start", start_endpoint),
    ("POST", "/projects/{project_id}/endpoints/{endpoint_id}/suspend", suspend_endpoint),
    ("POST", "/projects/{project_id}/endpoints/{endpoint_id}/restart", restart_endpoint),
)
