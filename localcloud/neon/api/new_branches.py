"""New branches: from the head of another one, from a point of its past, or with its schema alone."""

from __future__ import annotations

import time

from localcloud.neon import identifiers
from localcloud.neon.api import views
from localcloud.neon.api.branches import require_free_name
from localcloud.neon.api.connection import connection_details
from localcloud.neon.api.endpoints import planned_endpoint
from localcloud.neon.api.routing import Answer, Request, Routes, created
from localcloud.neon.api.schemas import BranchCreation, NewBranch
from localcloud.neon.content import fill, fill_with_schema
from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import ConflictError, NotModelledError
from localcloud.neon.expiry import expire_at, require_lives_on
from localcloud.neon.points import parse_point
from localcloud.neon.records import SCHEMA_ONLY, Branch


async def create_branch(control: ControlPlane, request: Request) -> Answer:
    """POST /projects/{project_id}/branches."""
    began = time.monotonic()
    body = request.body(BranchCreation)
    project_id = request.path["project_id"]
    async with control.exclusive(project_id):
        project = control.project(project_id)
        source, branch = _planned(control, project_id, body.branch)
        point = parse_point(body.branch.parent_lsn, body.branch.parent_timestamp, "parent")
        endpoints = [planned_endpoint(control, branch, given) for given in body.endpoints]
        if len(endpoints) > 1:
            raise ConflictError("a branch can have one read_write endpoint")
        branch.timeline = project.newest_timeline = project.newest_timeline + 1
        control.store.put(project)
        try:
            filling = fill_with_schema if branch.init_source == SCHEMA_ONLY else fill
            inventory = await filling(control, branch, source, point)
            control.store.put(branch, *inventory.roles, *inventory.databases, *endpoints)
            for endpoint in endpoints:
                await control.fleet.wake(endpoint)
        except BaseException:
            await control.remove_branch(branch)
            raise
        with control.store.transaction():
            noted = control.note(project_id, "create_branch", branch_id=branch.id, endpoint_id=None, began=began)
            for endpoint in endpoints:
                noted += control.note(
                    project_id, "start_compute", branch_id=branch.id, endpoint_id=endpoint.id, began=began
                )
    uris = connection_details(control, endpoints[0], inventory.roles, inventory.databases) if endpoints else []
    return created(
        branch=views.branch(control.branch(project_id, branch.id)),
        endpoints=[views.endpoint(control, control.endpoint(project_id, endpoint.id)) for endpoint in endpoints],
        operations=views.operations(noted),
        roles=[views.role(role) for role in inventory.roles],
        databases=[views.database(database) for database in inventory.databases],
        **({"connection_uris": uris} if uris else {}),
    )


def _planned(control: ControlPlane, project_id: str, body: NewBranch) -> tuple[Branch, Branch]:
    """The branch that content comes from, and the record of the one to be."""
    if body.archived:
        raise NotModelledError("branch.archived is not modelled by the local cloud")
    branch_id = identifiers.branch_id()
    name = branch_id if body.name is None else body.name
    require_free_name(control, project_id, name)
    source = control.branch(project_id, body.parent_id) if body.parent_id else control.default_branch(project_id)
    branch = Branch(
        id=branch_id,
        project_id=project_id,
        name=name,
        protected=body.protected,
        init_source=body.init_source,
        parent_id=None if body.init_source == SCHEMA_ONLY else source.id,
    )
    if branch.parent_id is not None:
        require_lives_on(source)
    expire_at(control, branch, body.expires_at)
    return source, branch


ROUTES: Routes = (("POST", "/projects/{project_id}/branches", create_branch),)
