"""Restores in place: a branch keeps its id, its endpoint and so its host, and goes on with other content."""

from __future__ import annotations

import time
from dataclasses import replace

from localcloud.neon import identifiers
from localcloud.neon.api import views
from localcloud.neon.api.branches import require_free_name
from localcloud.neon.api.routing import Answer, Request, Routes, ok
from localcloud.neon.api.schemas import BranchRestore
from localcloud.neon.content import Inventory, fill
from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import ApiError, UnprocessableError
from localcloud.neon.expiry import live_as_long_again, require_lives_on
from localcloud.neon.points import Point, parse_point
from localcloud.neon.records import PARENT_DATA, Branch, Database, Role, now


async def restore_branch(control: ControlPlane, request: Request) -> Answer:
    """POST /projects/{project_id}/branches/{branch_id}/restore."""
    began = time.monotonic()
    body = request.body(BranchRestore)
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        project = control.project(project_id)
        before = control.branch(project_id, request.path["branch_id"])
        source = control.branch(project_id, body.source_branch_id)
        point = parse_point(body.source_lsn, body.source_timestamp, "source")
        _require_restorable(control, before, source, point, body.preserve_under_name)
        project.newest_timeline += 1
        control.store.put(project)
        after = replace(
            before,
            folder=identifiers.branch_id(),
            timeline=project.newest_timeline,
            base="",
            init_source=PARENT_DATA,
            parent_id=source.id,
        )
        try:
            inventory = await fill(control, after, source, point)
            endpoint = control.read_write_endpoint(before.id)
            was_active = endpoint is not None and control.is_active(endpoint)
            if endpoint is not None:
                # Even if it doesn't run: a client may be starting it.
                await control.fleet.suspend(endpoint)
        except BaseException:
            control.fleet.discard(after.directory)
            raise
        # Nothing is awaited between the compute's end and the exchange: nobody can start it on the old content.
        preserved = _exchange(control, before, after, inventory, body.preserve_under_name)
        if preserved is None:
            control.fleet.discard(before.directory)
        if was_active and endpoint is not None:
            await control.fleet.wake(control.endpoint(project_id, endpoint.id))
        actions = ["create_branch", *(("suspend_compute", "start_compute") if was_active else ())]
        endpoint_id = endpoint.id if endpoint else None
        noted = control.note(project_id, *actions, branch_id=after.id, endpoint_id=endpoint_id, began=began)
    return ok(branch=views.branch(control.branch(project_id, after.id)), operations=views.operations(noted))


def _require_restorable(
    control: ControlPlane, branch: Branch, source: Branch, point: Point | None, preserve_under_name: str | None
) -> None:
    if branch.protected:
        raise UnprocessableError(f"cannot restore protected branch {branch.id}: unprotect it first")
    if source.id == branch.id and point is None:
        raise ApiError("source_branch_id is the branch itself: give source_timestamp or source_lsn")
    children = control.store.all(Branch, parent_id=branch.id)
    if not preserve_under_name:
        if source.id == branch.id:
            raise ApiError("source_branch_id is the branch itself: give preserve_under_name")
        if children:
            names = ", ".join(child.name for child in children)
            raise ApiError(f"branch {branch.id} has children ({names}): give preserve_under_name, they move to it")
    else:
        require_free_name(control, branch.project_id, preserve_under_name)
    if source.id != branch.id:
        require_lives_on(source)


def _exchange(
    control: ControlPlane, before: Branch, after: Branch, inventory: Inventory, preserve_under_name: str | None
) -> Branch | None:
    """Record the restored content under the branch's id, and the former one as a branch of its own if it is kept."""
    after.last_reset_at = after.updated_at = now()
    live_as_long_again(after)
    roles = control.store.all(Role, branch_id=before.id)
    databases = control.store.all(Database, branch_id=before.id)
    preserved = None
    with control.store.transaction():
        control.store.remove(*roles, *databases)
        if preserve_under_name:
            preserved = replace(
                before,
                id=identifiers.branch_id(),
                name=preserve_under_name,
                folder=before.directory,
                is_default=False,
                expires_at=None,
                ttl_interval_seconds=None,
            )
            for child in control.store.all(Branch, parent_id=before.id):
                child.parent_id = preserved.id
                control.store.put(child)
            control.store.put(preserved)
            control.store.put(*(replace(role, branch_id=preserved.id) for role in roles))
            control.store.put(*(replace(database, branch_id=preserved.id) for database in databases))
            if after.parent_id == before.id:
                after.parent_id = preserved.id
        control.store.put(after, *inventory.roles, *inventory.databases)
    return preserved


ROUTES: Routes = (("POST", "/projects/{project_id}/branches/{branch_id}/restore", restore_branch),)
