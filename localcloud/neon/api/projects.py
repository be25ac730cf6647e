"""Projects: each begins with a root branch, a compute, an owner and a database."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

from localcloud.neon import catalog, identifiers, sizing
from localcloud.neon.api import views
from localcloud.neon.api.account import ORGANIZATION_ID
from localcloud.neon.api.connection import connection_details
from localcloud.neon.api.routing import Answer, Request, Routes, created, ok
from localcloud.neon.api.schemas import EndpointDefaults, NewProject, ProjectCreation, ProjectUpdate
from localcloud.neon.control import READ_WRITE, ControlPlane, require_name, require_sql_name
from localcloud.neon.errors import ApiError, UnprocessableError
from localcloud.neon.inventory import new_database
from localcloud.neon.records import FIRST_TIMELINE, Branch, Endpoint, Json, Operation, Project, Role, now

log = logging.getLogger("localcloud.neon")

_QUOTAS = [
    "active_time_seconds",
    "compute_time_seconds",
    "written_data_bytes",
    "data_transfer_bytes",
    "logical_size_bytes",
]
_DEFAULT_SETTINGS: Json = {
    "quota": dict.fromkeys(_QUOTAS, 0),
    "allowed_ips": {"ips": [], "protected_branches_only": False},
    "enable_logical_replication": False,
    "maintenance_window": {"weekdays": [1], "start_time": "03:00", "end_time": "04:00"},
    "block_public_connections": False,
    "block_vpc_connections": False,
    "hipaa": False,
}


async def create_project(control: ControlPlane, request: Request) -> Answer:
    """POST /projects."""
    began = time.monotonic()
    body = request.body(ProjectCreation).project
    project, branch, endpoint, role = _planned(control, body)
    require_sql_name("database", body.branch.database_name, catalog.RESERVED_DATABASES)
    data = control.fleet.data(branch)
    data.parent.mkdir(mode=0o700)
    try:
        template = await control.launcher.template(project.pg_version)
        branch.base = template.name
        branch.logical_size = await template.copy_to(data)
        compute = await control.fleet.bring_up(endpoint)
        async with catalog.connect(compute.sockets) as connection:
            await catalog.christen(connection, role.name, body.branch.database_name, role.password or "")
            branch.start_lsn = await catalog.log_position(connection)
    except BaseException:
        await control.fleet.suspend(endpoint)
        control.fleet.discard(branch.directory)
        raise
    endpoint.started_at = branch.created_at = now()
    database = new_database(control.store, branch.id, body.branch.database_name, role.name)
    stored = replace(role, password=role.password if project.store_passwords else None)
    with control.store.transaction():
        control.store.put(project, branch, endpoint, stored, database)
        noted = control.note(
            project.id, "create_timeline", "start_compute", branch_id=branch.id, endpoint_id=endpoint.id, began=began
        )
    return created(
        project=views.project(control, project),
        connection_uris=connection_details(control, endpoint, [role], [database]),
        roles=[views.role(role, with_password=True)],
        databases=[views.database(database)],
        operations=views.operations(noted),
        branch=views.branch(branch),
        endpoints=[views.endpoint(control, endpoint)],
    )


async def list_projects(control: ControlPlane, request: Request) -> Answer:
    """GET /projects, newest first; the cursor is the last project's id."""
    wanted = request.query.get("search", "").lower()
    found = [item for item in control.store.all(Project) if wanted in item.name.lower() or wanted in item.id][::-1]
    start = next((place for place, item in enumerate(found, 1) if item.id == request.query.get("cursor")), 0)
    page = found[start : start + request.limit(10, 400)]
    more = {"pagination": {"cursor": page[-1].id}} if page else {}
    items = [views.project_item(control, item) for item in page]
    return ok(projects=items, applications={}, integrations={}, **more)


async def get_project(control: ControlPlane, request: Request) -> Answer:
    """GET /projects/{project_id}."""
    return ok(project=views.project(control, control.project(request.path["project_id"])))


async def update_project(control: ControlPlane, request: Request) -> Answer:
    """PATCH /projects/{project_id}."""
    body = request.body(ProjectUpdate).project
    async with control.exclusive(request.path["project_id"]):
        project = control.project(request.path["project_id"])
        if body.name is not None:
            require_name("project", body.name)
            project.name = body.name
        if body.history_retention_seconds is not None:
            project.history_retention_seconds = body.history_retention_seconds
        project.default_endpoint_settings = _defaults(body.default_endpoint_settings, project.default_endpoint_settings)
        project.settings = _settings(project.settings, body.settings)
        control.touch(project)
    return ok(project=views.project(control, project), operations=[])


async def delete_project(control: ControlPlane, request: Request) -> Answer:
    """DELETE /projects/{project_id}."""
    async with control.exclusive(request.path["project_id"]):
        project = control.project(request.path["project_id"])
        view = views.project(control, project)
        branches = control.store.all(Branch, project_id=project.id)
        protected = [branch.name for branch in branches if branch.protected]
        if protected:
            raise UnprocessableError(
                f"project {project.id} has protected branches ({', '.join(protected)}): unprotect them first"
            )
        endpoints = control.store.all(Endpoint, project_id=project.id)
        with control.store.transaction():
            for branch in branches:
                control.forget_branch(branch)
            control.store.remove(*control.store.all(Operation, project_id=project.id), project)
        for endpoint in endpoints:
            await control.fleet.suspend(endpoint)
        for branch in branches:
            control.fleet.discard(branch.directory)
    return ok(project=view)


def _planned(control: ControlPlane, body: NewProject) -> tuple[Project, Branch, Endpoint, Role]:
    """The records of a project to be; refuses what can't be."""
    project_id = identifiers.project_id()
    name = project_id if body.name is None else body.name
    require_name("project", name)
    require_name("branch", body.branch.name)
    owner = body.branch.role_name or f"{body.branch.database_name}_owner"
    require_sql_name("role", owner, catalog.RESERVED_ROLES)
    installations = control.launcher.installations
    version = body.pg_version or installations.default.major
    if version not in installations.by_major:
        known = ", ".join(map(str, installations.by_major))
        raise ApiError(f"pg_version is {version}: the local cloud has Postgres {known}, choose one or leave it out")
    project = Project(
        id=project_id,
        name=name,
        region_id=body.region_id,
        pg_version=version,
        store_passwords=body.store_passwords,
        history_retention_seconds=body.history_retention_seconds,
        org_id=body.org_id or ORGANIZATION_ID,
        settings=_settings(_DEFAULT_SETTINGS, body.settings),
        default_endpoint_settings=_defaults(body.default_endpoint_settings, {}),
    )
    branch = Branch(
        id=identifiers.branch_id(),
        project_id=project_id,
        name=body.branch.name,
        is_default=True,
        timeline=FIRST_TIMELINE,
    )
    defaults = project.default_endpoint_settings
    endpoint = Endpoint(
        id=identifiers.endpoint_id(),
        project_id=project_id,
        branch_id=branch.id,
        type=READ_WRITE,
        min_cu=defaults["autoscaling_limit_min_cu"],
        max_cu=defaults["autoscaling_limit_max_cu"],
        suspend_timeout_seconds=defaults["suspend_timeout_seconds"],
    )
    return project, branch, endpoint, Role(branch_id=branch.id, name=owner, password=identifiers.password())


def _defaults(given: EndpointDefaults, before: Json) -> Json:
    known = {
        "autoscaling_limit_min_cu": sizing.DEFAULT_MIN_CU,
        "autoscaling_limit_max_cu": sizing.DEFAULT_MAX_CU,
        "suspend_timeout_seconds": 0,
        **before,
    }
    settings = known | given.model_dump(exclude_none=True)
    sizing.require_sizes(settings["autoscaling_limit_min_cu"], settings["autoscaling_limit_max_cu"])
    sizing.require_suspend_timeout(settings["suspend_timeout_seconds"])
    return settings


def _settings(before: Json, given: dict[str, Any]) -> Json:
    """Network rules, quotas and the like are remembered and shown; nothing here enforces them."""
    for name, value in given.items():
        if name in before and value not in (None, before[name]):
            log.warning("project setting %s is remembered, not enforced", name)
    merged = dict(before)
    for name, value in given.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = {**merged[name], **value}
        elif value is not None:
            merged[name] = value
    return merged


ROUTES: Routes = (
    ("POST", "/projects", create_project),
    ("GET", "/projects", list_projects),
    ("GET", "/projects/{project_id}", get_project),
    ("PATCH", "/projects/{project_id}", update_project),
    ("DELETE", "/projects/{project_id}", delete_project),
)
