"""Branches: listed, renamed, protected, given an end, made the default one, deleted."""

from __future__ import annotations

import time

from localcloud.neon.api import views
from localcloud.neon.api.routing import NOTHING, Answer, Request, Routes, ok
from localcloud.neon.api.schemas import BranchUpdate
from localcloud.neon.control import ControlPlane, require_name
from localcloud.neon.errors import ConflictError, UnprocessableError
from localcloud.neon.expiry import expire_at, require_may_expire
from localcloud.neon.records import SCHEMA_ONLY, Branch, Endpoint

_SORTABLE = {"name", "created_at", "updated_at"}


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
    async with control.exclusive(project_id):
        branch = control.branch(project_id, request.path["branch_id"])
        if body.name is not None and body.name != branch.name:
            require_free_name(control, project_id, body.name)
            branch.name = body.name
        if body.protected is not None:
            branch.protected = body.protected
        if "expires_at" in body.model_fields_set:
            expire_at(control, branch, body.expires_at)
        require_may_expire(control, branch)
        control.touch(branch)
    return ok(branch=views.branch(branch), operations=[])


async def set_as_default(control: ControlPlane, request: Request) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/set_as_default."""
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        branch, before = control.branch(project_id, request.path["branch_id"]), control.default_branch(project_id)
        if branch.id != before.id:
            branch.is_default, before.is_default = True, False
            require_may_expire(control, branch)
            with control.store.transaction():
                control.touch(before)
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
        await control.remove_branch(branch)
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
    return ok(branch=views.branch(branch), operations=views.operations(noted))


def require_free_name(control: ControlPlane, project_id: str, name: str) -> None:
    """Refuse a name that Neon would, or that another branch of the project has."""
    require_name("branch", name)
    if control.store.one(Branch, project_id=project_id, name=name):
        raise ConflictError("branch already exists")


def _require_deletable(control: ControlPlane, branch: Branch) -> None:
    if branch.protected:
        raise UnprocessableError(f"cannot delete protected branch {branch.id}: unprotect it first")
    if branch.is_default:
        raise UnprocessableError(f"cannot delete the project's default branch {branch.id}")
    if branch.parent_id is None and branch.init_source != SCHEMA_ONLY:
        raise UnprocessableError(f"cannot delete the project's root branch {branch.id}")
    children = control.store.all(Branch, parent_id=branch.id)
    if children:
        names = ", ".join(child.name for child in children)
        raise UnprocessableError(f"cannot delete branch {branch.id}, it has children ({names}): delete them first")


def _matches(branch: Branch, wanted: str) -> bool:
    return wanted in branch.name.lower() or wanted in branch.id


ROUTES: Routes = (
    ("GET", "/projects/{project_id}/branches", list_branches),
    ("GET", "/projects/{project_id}/branches/count", count_branches),
    ("GET", "/projects/{project_id}/branches/{branch_id}", get_branch),
    ("PATCH", "/projects/{project_id}/branches/{branch_id}", update_branch),
    ("POST", "/projects/{project_id}/branches/{branch_id}/set_as_default", set_as_default),
    ("DELETE", "/projects/{project_id}/branches/{branch_id}", delete_branch),
)
