"""Branches: made from the head of another one, renamed, protected, deleted."""

from __future__ import annotations

import time

from localcloud.neon import identifiers
from localcloud.neon.api import views
from localcloud.neon.api.connection import connection_details
from localcloud.neon.api.endpoints import planned_endpoint
from localcloud.neon.api.routing import NOTHING, Answer, Request, Routes, created, ok
from localcloud.neon.api.schemas import BranchCreation, BranchUpdate, NewBranch
from localcloud.neon.branching import Origin, copy_branch
from localcloud.neon.control import ControlPlane, require_name
from localcloud.neon.errors import ConflictError, NotModelledError, UnprocessableError
from localcloud.neon.records import Branch, Database, Endpoint, Role, now

_SORTABLE = {"name", "created_at", "updated_at"}


async def create_branch(control: ControlPlane, request: Request) -> Answer:
    """POST /projects/{project_id}/branches."""
    began = time.monotonic()
    body = request.body(BranchCreation)
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        project = control.project(project_id)
        branch = _planned(control, project_id, body.branch)
        parent = control.branch(project_id, branch.parent_id or "")
        endpoints = [planned_endpoint(control, branch, given) for given in body.endpoints]
        if len(endpoints) > 1:
            raise ConflictError("a branch can have one read_write endpoint")
        project.newest_timeline += 1
        control.store.put(project)
        await control.refresh_inventory(parent)
        try:
            source = control.read_write_endpoint(parent.id)
            origin = await copy_branch(
                control.fleet,
                control.installation,
                parent.id,
                source if source and not source.disabled else None,
                target=control.fleet.data(branch.id),
                timeline=project.newest_timeline,
            )
            roles, databases = _inherited(control, parent, branch, origin)
            control.store.put(branch, *roles, *databases, *endpoints)
            for endpoint in endpoints:
                await control.fleet.wake(endpoint)
        except BaseException:
            control.forget_branch(branch)
            for endpoint in endpoints:
                await control.fleet.suspend(endpoint)
            control.fleet.discard(branch.id)
            raise
        with control.store.transaction():
            noted = control.note(project_id, "create_branch", branch_id=branch.id, endpoint_id=None, began=began)
            for endpoint in endpoints:
                noted += control.note(
                    project_id, "start_compute", branch_id=branch.id, endpoint_id=endpoint.id, began=began
                )
    uris = connection_details(control, endpoints[0], roles, databases) if endpoints else []
    return created(
        branch=views.branch(control.branch(project_id, branch.id)),
        endpoints=[views.endpoint(control, control.endpoint(project_id, endpoint.id)) for endpoint in endpoints],
        operations=views.operations(noted),
        roles=[views.role(role) for role in roles],
        databases=[views.database(database) for database in databases],
        **({"connection_uris": uris} if uris else {}),
    )


async def list_branches(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/branches, the last changed first; the cursor is the last branch's id."""
    project = control.project(request.path["project_id"])
    wanted = request.query.get("search", "").lower()
    key = request.query.get("sort_by", "updated_at")
    order = request.query.get("sort_order", "desc")
    found = [branch for branch in control.store.all(Branch, project_id=project.id) if _matches(branch, wanted)]
    if key in _SORTABLE:
        found.sort(key=lambda branch: str(getattr(branch, key)), reverse=order == "desc")
    start = next((place for place, item in enumerate(found, 1) if item.id == request.query.get("cursor")), 0)
    size = request.limit(10_000, 10_000)
    page = found[start : start + size]
    more = (
        {"pagination": {"next": page[-1].id, "sort_by": key, "sort_order": order}} if len(found) > start + size else {}
    )
    return ok(branches=[views.branch(branch) for branch in page], annotations={}, **more)


async def count_branches(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/branches/count."""
    project = control.project(request.path["project_id"])
    wanted = request.query.get("search", "").lower()
    return ok(count=sum(_matches(branch, wanted) for branch in control.store.all(Branch, project_id=project.id)))


async def get_branch(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}."""
    branch = control.branch(request.path["project_id"], request.path["branch_id"])
    moment = {"created_at": branch.created_at, "updated_at": branch.updated_at}
    annotation = {"object": {"type": "console/branch", "id": branch.id}, "value": {}, **moment}
    return ok(branch=views.branch(branch), annotation=annotation)


async def update_branch(control: ControlPlane, request: Request) -> Answer:
    """PATCH /projects/{project_id}/branches/{branch_id}."""
    body = request.body(BranchUpdate).branch
    project_id = request.path["project_id"]
    if body.expires_at is not None:
        raise NotModelledError("expires_at is not modelled by the local cloud yet")
    async with control.exclusive(project_id):
        branch = control.branch(project_id, request.path["branch_id"])
        if body.name is not None and body.name != branch.name:
            _require_free_name(control, project_id, body.name)
            branch.name = body.name
        if body.protected is not None:
            branch.protected = body.protected
        control.touch(branch)
    return ok(branch=views.branch(branch), operations=[])


async def delete_branch(control: ControlPlane, request: Request) -> Answer:
    """DELETE /projects/{project_id}/branches/{branch_id}."""
    began = time.monotonic()
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        branch = control.store.one(Branch, id=request.path["branch_id"], project_id=project_id)
        if branch is None:
            return NOTHING
        _require_deletable(control, branch)
        endpoints = control.store.all(Endpoint, branch_id=branch.id)
        with control.store.transaction():
            control.forget_branch(branch)
            noted = [
                *control.note(
                    project_id,
                    *("suspend_compute" for _ in endpoints),
                    branch_id=branch.id,
                    endpoint_id=endpoints[0].id if endpoints else None,
                    began=began,
                ),
                *control.note(project_id, "delete_timeline", branch_id=branch.id, endpoint_id=None, began=began),
            ]
        for endpoint in endpoints:
            await control.fleet.suspend(endpoint)
        control.fleet.discard(branch.id)
    return ok(branch=views.branch(branch), operations=views.operations(noted))


def _planned(control: ControlPlane, project_id: str, body: NewBranch) -> Branch:
    for name in ("parent_lsn", "parent_timestamp", "init_source", "expires_at", "archived"):
        if getattr(body, name) not in (None, False, "parent-data"):
            raise NotModelledError(f"branch.{name} is not modelled by the local cloud yet")
    branch_id = identifiers.branch_id()
    name = branch_id if body.name is None else body.name
    _require_free_name(control, project_id, name)
    parent = control.branch(project_id, body.parent_id) if body.parent_id else control.default_branch(project_id)
    return Branch(id=branch_id, project_id=project_id, name=name, parent_id=parent.id, protected=body.protected)


def _inherited(
    control: ControlPlane, parent: Branch, branch: Branch, origin: Origin
) -> tuple[list[Role], list[Database]]:
    """Complete the branch, and copy its parent's roles and databases; a protected parent keeps its passwords."""
    branch.parent_lsn = origin.lsn
    branch.parent_timestamp = origin.taken_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    branch.logical_size = origin.size
    branch.passwords_pending = parent.protected or parent.passwords_pending
    roles = control.store.all(Role, branch_id=parent.id)
    databases = control.store.all(Database, branch_id=parent.id)
    for role in roles:
        role.branch_id, role.created_at, role.updated_at = branch.id, now(), now()
        if parent.protected and role.password is not None:
            role.password = identifiers.password()
    for database in databases:
        database.branch_id, database.created_at, database.updated_at = branch.id, now(), now()
    return roles, databases


def _require_free_name(control: ControlPlane, project_id: str, name: str) -> None:
    require_name("branch", name)
    if control.store.one(Branch, project_id=project_id, name=name):
        raise ConflictError("branch already exists")


def _require_deletable(control: ControlPlane, branch: Branch) -> None:
    if branch.protected:
        raise UnprocessableError(f"cannot delete protected branch {branch.id}: unprotect it first")
    if branch.is_default:
        raise UnprocessableError(f"cannot delete the project's default branch {branch.id}")
    if branch.parent_id is None:
        raise UnprocessableError(f"cannot delete the project's root branch {branch.id}")
    children = control.store.all(Branch, parent_id=branch.id)
    if children:
        names = ", ".join(child.name for child in children)
        raise UnprocessableError(f"cannot delete branch {branch.id}, it has children ({names}): delete them first")


def _matches(branch: Branch, wanted: str) -> bool:
    return wanted in branch.name.lower() or wanted in branch.id


ROUTES: Routes = (
    ("POST", "/projects/{project_id}/branches", create_branch),
    ("GET", "/projects/{project_id}/branches", list_branches),
    ("GET", "/projects/{project_id}/branches/count", count_branches),
    ("GET", "/projects/{project_id}/branches/{branch_id}", get_branch),
    ("PATCH", "/projects/{project_id}/branches/{branch_id}", update_branch),
    ("DELETE", "/projects/{project_id}/branches/{branch_id}", delete_branch),
)
