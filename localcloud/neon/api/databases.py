"""Databases of a branch."""

from __future__ import annotations

import time
from dataclasses import replace

from localcloud.neon import catalog
from localcloud.neon.api import views
from localcloud.neon.api.routing import NOTHING, Answer, Request, Routes, created, ok
from localcloud.neon.api.schemas import DatabaseCreation, DatabaseUpdate
from localcloud.neon.control import ControlPlane, require_sql_name
from localcloud.neon.errors import ConflictError, NotFoundError, UnprocessableError
from localcloud.neon.inventory import new_database
from localcloud.neon.records import Branch, Database, Operation, Role, now


async def create_database(control: ControlPlane, request: Request) -> Answer:
    """POST …/branches/{branch_id}/databases."""
    began = time.monotonic()
    body = request.body(DatabaseCreation).database
    require_sql_name("database", body.name, catalog.RESERVED_DATABASES)
    async with control.exclusive(request.path["project_id"]):
        branch = _branch(control, request)
        async with control.compute(branch) as (_, connection):
            await control.refresh_inventory(branch)
            _require_free_name(control, branch, body.name)
            _require_owner(control, branch, body.owner_name)
            await catalog.create_database(connection, body.name, body.owner_name)
        database = new_database(control.store, branch.id, body.name, body.owner_name)
        control.store.put(database)
        noted = _note(control, branch, began)
    return created(database=views.database(database), operations=views.operations(noted))


async def list_databases(control: ControlPlane, request: Request) -> Answer:
    """GET …/branches/{branch_id}/databases."""
    branch = _branch(control, request)
    await control.refresh_inventory(branch)
    return ok(databases=[views.database(item) for item in control.store.all(Database, branch_id=branch.id)])


async def get_database(control: ControlPlane, request: Request) -> Answer:
    """GET …/branches/{branch_id}/databases/{database_name}."""
    branch = _branch(control, request)
    await control.refresh_inventory(branch)
    return ok(database=views.database(_database(control, branch, request)))


async def update_database(control: ControlPlane, request: Request) -> Answer:
    """PATCH …/branches/{branch_id}/databases/{database_name}."""
    began = time.monotonic()
    body = request.body(DatabaseUpdate).database
    async with control.exclusive(request.path["project_id"]):
        branch = _branch(control, request)
        async with control.compute(branch) as (_, connection):
            await control.refresh_inventory(branch)
            before = _database(control, branch, request)
            name, owner = body.name or before.name, body.owner_name or before.owner_name
            if name != before.name:
                require_sql_name("database", name, catalog.RESERVED_DATABASES)
                _require_free_name(control, branch, name)
            _require_owner(control, branch, owner)
            await catalog.alter_database(connection, before.name, name, owner)
        after = replace(before, name=name, owner_name=owner, updated_at=now())
        with control.store.transaction():
            control.store.remove(before)
            control.store.put(after)
            noted = _note(control, branch, began)
    return ok(database=views.database(after), operations=views.operations(noted))


async def delete_database(control: ControlPlane, request: Request) -> Answer:
    """DELETE …/branches/{branch_id}/databases/{database_name}."""
    began = time.monotonic()
    async with control.exclusive(request.path["project_id"]):
        branch = _branch(control, request)
        await control.refresh_inventory(branch)
        database = control.store.one(Database, branch_id=branch.id, name=request.path["database_name"])
        if database is None:
            return NOTHING
        async with control.compute(branch) as (_, connection):
            await catalog.drop_database(connection, database.name)
        control.store.remove(database)
        noted = _note(control, branch, began)
    return ok(database=views.database(database), operations=views.operations(noted))


def _note(control: ControlPlane, branch: Branch, began: float) -> list[Operation]:
    endpoint = control.read_write_endpoint(branch.id)
    endpoint_id = endpoint.id if endpoint else None
    return control.note(branch.project_id, "apply_config", branch_id=branch.id, endpoint_id=endpoint_id, began=began)


def _branch(control: ControlPlane, request: Request) -> Branch:
    return control.branch(request.path["project_id"], request.path["branch_id"])


def _database(control: ControlPlane, branch: Branch, request: Request) -> Database:
    found = control.store.one(Database, branch_id=branch.id, name=request.path["database_name"])
    if found is None:
        raise NotFoundError(f"database {request.path['database_name']} not found")
    return found


def _require_free_name(control: ControlPlane, branch: Branch, name: str) -> None:
    if control.store.one(Database, branch_id=branch.id, name=name):
        raise ConflictError(f"database {name} already exists")


def _require_owner(control: ControlPlane, branch: Branch, owner: str) -> None:
    if control.store.one(Role, branch_id=branch.id, name=owner) is None:
        raise UnprocessableError(f"database owner {owner} doesn't exist on branch {branch.id}: create the role first")


_PATH = "/projects/{project_id}/branches/{branch_id}/databases"
ROUTES: Routes = (
    ("POST", _PATH, create_database),
    ("GET", _PATH, list_databases),
    ("GET", f"{_PATH}/{{database_name}}", get_database),
    ("PATCH", f"{_PATH}/{{database_name}}", update_database),
    ("DELETE", f"{_PATH}/{{database_name}}", delete_database),
)
