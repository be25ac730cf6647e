"""A database's schema as text."""

from __future__ import annotations

from localcloud.neon.api.routing import Answer, Request, Routes, ok
from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import ApiError, NotFoundError, NotModelledError
from localcloud.neon.records import Database
from localcloud.neon.schema import dump


async def get_schema(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/branches/{branch_id}/schema; the head's, as SQL."""
    branch = control.branch(request.path["project_id"], request.path["branch_id"])
    if request.query.get("lsn") or request.query.get("timestamp") or request.query.get("format", "sql") != "sql":
        raise NotModelledError("lsn, timestamp and format=json of a schema are not modelled by the local cloud")
    name = request.query.get("db_name")
    if not name:
        raise ApiError("db_name is missing")
    await control.refresh_inventory(branch)
    if control.store.one(Database, branch_id=branch.id, name=name) is None:
        raise NotFoundError(f"database {name} not found")
    async with control.compute(branch) as (compute, _):
        return ok(sql=await dump(control.installation(branch.project_id), compute.sockets, name))


ROUTES: Routes = (("GET", "/projects/{project_id}/branches/{branch_id}/schema", get_schema),)
