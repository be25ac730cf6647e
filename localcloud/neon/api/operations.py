"""Operations: all are finished before a client can see them, since the request that starts one waits for it."""

from __future__ import annotations

from localcloud.neon.api import views
from localcloud.neon.api.routing import Answer, Request, Routes, ok
from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import NotFoundError
from localcloud.neon.records import Operation


async def list_operations(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/operations, newest first; the cursor is the last operation's id."""
    project = control.project(request.path["project_id"])
    found = control.store.all(Operation, project_id=project.id)[::-1]
    start = next((place for place, item in enumerate(found, 1) if item.id == request.query.get("cursor")), 0)
    page = found[start : start + request.limit(1000, 1000)]
    if not page:
        return ok(operations=[])
    return ok(operations=views.operations(page), pagination={"cursor": page[-1].id})


async def get_operation(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/operations/{operation_id}."""
    project = control.project(request.path["project_id"])
    found = control.store.one(Operation, id=request.path["operation_id"], project_id=project.id)
    if found is None:
        raise NotFoundError(f"operation {request.path['operation_id']} not found")
    return ok(operation=views.operation(found))


ROUTES: Routes = (
    ("GET", "/projects/{project_id}/operations", list_operations),
    ("GET", "/projects/{project_id}/operations/{operation_id}", get_operation),
)
