"""Connection strings: complete, with the password, and good for every client without TLS or DNS."""

from __future__ import annotations

from urllib.parse import quote

from localcloud.neon.api import views
from localcloud.neon.api.routing import Answer, Request, Routes, ok
from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import ApiError, NotFoundError, PreconditionFailedError
from localcloud.neon.records import Database, Endpoint, Role


async def get_connection_uri(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}/connection_uri."""
    project = control.project(request.path["project_id"])
    for name in ("database_name", "role_name"):
        if not request.query.get(name):
            raise ApiError(f"{name} is missing")
    endpoint = _chosen_endpoint(control, project.id, request)
    await control.refresh_inventory(control.branch(project.id, endpoint.branch_id))
    role = control.store.one(Role, branch_id=endpoint.branch_id, name=request.query["role_name"])
    if role is None:
        raise NotFoundError(f"role {request.query['role_name']} not found")
    database = control.store.one(Database, branch_id=endpoint.branch_id, name=request.query["database_name"])
    if database is None:
        raise NotFoundError(f"database {request.query['database_name']} not found")
    if role.password is None:
        raise PreconditionFailedError(f"the password of role {role.name} isn't stored: reset it first")
    pooled = request.query.get("pooled", "").lower() == "true"
    return ok(uri=uri(control, endpoint, role, database.name, pooled=pooled))


def uri(control: ControlPlane, endpoint: Endpoint, role: Role, database: str, *, pooled: bool = False) -> str:
    """The address is the proxy's, the endpoint is named in `options`, as Neon has it for clients without SNI."""
    user, password, name = (quote(text, safe="") for text in (role.name, role.password or "", database))
    target = f"{endpoint.id}-pooler" if pooled else endpoint.id
    return (
        f"postgresql://{user}:{password}@127.0.0.1:{control.proxy_port}/{name}"
        f"?sslmode=disable&options=endpoint%3D{target}"
    )


def connection_details(
    control: ControlPlane, endpoint: Endpoint, roles: list[Role], databases: list[Database]
) -> list[views.View]:
    """The `connection_uris` of a creation: each database with its owner."""
    passwords = {role.name: role for role in roles if role.password is not None}
    return [
        {
            "connection_uri": uri(control, endpoint, passwords[database.owner_name], database.name),
            "connection_parameters": {
                "database": database.name,
                "password": passwords[database.owner_name].password,
                "role": database.owner_name,
                "host": views.host(endpoint),
                "pooler_host": views.host(endpoint, pooled=True),
            },
        }
        for database in databases
        if database.owner_name in passwords
    ]


def _chosen_endpoint(control: ControlPlane, project_id: str, request: Request) -> Endpoint:
    branch_id = request.query.get("branch_id")
    if endpoint_id := request.query.get("endpoint_id"):
        endpoint = control.endpoint(project_id, endpoint_id)
        if branch_id and endpoint.branch_id != branch_id:
            raise NotFoundError(f"endpoint {endpoint_id} not found on branch {branch_id}")
        return endpoint
    branch = control.branch(project_id, branch_id) if branch_id else control.default_branch(project_id)
    found = control.read_write_endpoint(branch.id)
    if found is None:
        raise NotFoundError(f"branch {branch.id} has no read_write endpoint")
    return found


ROUTES: Routes = (("GET", "/projects/{project_id}/connection_uri", get_connection_uri),)
