"""Roles: those that the API makes and whose passwords it knows, and those that SQL made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from localcloud.neon import catalog, identifiers
from localcloud.neon.api import views
from localcloud.neon.api.routing import NOTHING, Answer, Request, Routes, created, ok
from localcloud.neon.api.schemas import RoleCreation
from localcloud.neon.compute import Compute
from localcloud.neon.control import ControlPlane, require_sql_name
from localcloud.neon.errors import ConflictError, NotFoundError, PreconditionFailedError, UnprocessableError
from localcloud.neon.records import Branch, Database, Role, now


async def create_role(control: ControlPlane, request: Request) -> Answer:
    """POST …/branches/{branch_id}/roles."""
    began = time.monotonic()
    body = request.body(RoleCreation).role
    require_sql_name("role", body.name, catalog.RESERVED_ROLES)
    async with control.exclusive(request.path["project_id"]):
        branch = _branch(control, request)
        role = Role(branch_id=branch.id, name=body.name, password=None if body.no_login else identifiers.password())
        async with control.compute(branch) as (_, connection):
            await control.refresh_inventory(branch)
            if control.store.one(Role, branch_id=branch.id, name=body.name):
                raise ConflictError(f"role {body.name} already exists")
            await catalog.create_role(connection, role.name, role.password)
        return _answer(control, created, branch, role, began)


async def list_roles(control: ControlPlane, request: Request) -> Answer:
    """GET …/branches/{branch_id}/roles."""
    branch = _branch(control, request)
    await control.refresh_inventory(branch)
    return ok(roles=[views.role(role) for role in control.store.all(Role, branch_id=branch.id)])


async def get_role(control: ControlPlane, request: Request) -> Answer:
    """GET …/branches/{branch_id}/roles/{role_name}."""
    _, role = await _found(control, request)
    return ok(role=views.role(role))


async def delete_role(control: ControlPlane, request: Request) -> Answer:
    """DELETE …/branches/{branch_id}/roles/{role_name}; what it owned goes to the owners of the databases."""
    began = time.monotonic()
    async with control.exclusive(request.path["project_id"]):
        branch = _branch(control, request)
        await control.refresh_inventory(branch)
        role = control.store.one(Role, branch_id=branch.id, name=request.path["role_name"])
        if role is None:
            return NOTHING
        databases = {item.name: item.owner_name for item in control.store.all(Database, branch_id=branch.id)}
        owned = [name for name, owner in databases.items() if owner == role.name]
        if owned:
            raise UnprocessableError(
                f"role {role.name} owns a database ({', '.join(owned)}): give it another owner first"
            )
        async with control.compute(branch) as (compute, connection):
            await catalog.drop_role(compute.sockets, connection, role.name, databases)
        control.store.remove(role)
        endpoint = control.read_write_endpoint(branch.id)
        noted = control.note(
            branch.project_id,
            "apply_config",
            branch_id=branch.id,
            endpoint_id=endpoint.id if endpoint else None,
            began=began,
        )
    return ok(role=views.role(role), operations=views.operations(noted))


async def reveal_password(control: ControlPlane, request: Request) -> Answer:
    """GET …/roles/{role_name}/reveal_password; 412 rather than a password that no longer opens the door."""
    branch, role = await _found(control, request)
    if not control.project(branch.project_id).store_passwords:
        raise PreconditionFailedError("Storing passwords is disabled")
    if role.password is None:
        raise PreconditionFailedError(
            f"the password of role {role.name} was set by SQL and isn't known: reset it first"
        )
    endpoint = control.read_write_endpoint(branch.id)
    if endpoint is not None:
        async with control.fleet.session_if_running(endpoint) as compute:
            if compute is not None and not await _opens(compute, role.name, role.password):
                raise PreconditionFailedError(f"the password of role {role.name} was changed by SQL: reset it first")
    return ok(password=role.password)


async def reset_password(control: ControlPlane, request: Request) -> Answer:
    """POST …/roles/{role_name}/reset_password; answers with the new password."""
    began = time.monotonic()
    async with control.exclusive(request.path["project_id"]):
        branch, role = await _found(control, request)
        role.password, role.updated_at = identifiers.password(), now()
        async with control.compute(branch) as (_, connection):
            await catalog.set_password(connection, role.name, role.password)
        return _answer(control, ok, branch, role, began)


async def _opens(compute: Compute, name: str, password: str) -> bool:
    async with catalog.connect(compute.sockets) as connection:
        return await catalog.has_password(connection, name, password)


def _answer(control: ControlPlane, status: Callable[..., Answer], branch: Branch, role: Role, began: float) -> Answer:
    """Store the role; its password is shown this once, whether it is stored or not."""
    kept = control.project(branch.project_id).store_passwords
    control.store.put(replace(role, password=role.password if kept else None))
    endpoint = control.read_write_endpoint(branch.id)
    noted = control.note(
        branch.project_id,
        "apply_config",
        branch_id=branch.id,
        endpoint_id=endpoint.id if endpoint else None,
        began=began,
    )
    return status(role=views.role(role, with_password=True), operations=views.operations(noted))


def _branch(control: ControlPlane, request: Request) -> Branch:
    return control.branch(request.path["project_id"], request.path["branch_id"])


async def _found(control: ControlPlane, request: Request) -> tuple[Branch, Role]:
    branch = _branch(control, request)
    await control.refresh_inventory(branch)
    role = control.store.one(Role, branch_id=branch.id, name=request.path["role_name"])
    if role is None:
        raise NotFoundError(f"role {request.path['role_name']} not found")
    return branch, role


_PATH = "/projects/{project_id}/branches/{branch_id}/roles"
ROUTES: Routes = (
    ("POST", _PATH, create_role),
    ("GET", _PATH, list_roles),
    ("GET", f"{_PATH}/{{role_name}}", get_role),
    ("DELETE", f"{_PATH}/{{role_name}}", delete_role),
    ("GET", f"{_PATH}/{{role_name}}/reveal_password", reveal_password),
    ("POST", f"{_PATH}/{{role_name}}/reset_password", reset_password),
)
