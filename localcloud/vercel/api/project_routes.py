"""Projects, their domains and their protection over HTTP."""

from typing import Any

from localcloud.vercel.api.routing import Call, Reply, Routes
from localcloud.vercel.api.views import domain_view, project_view
from localcloud.vercel.models import OWNER, SCOPE, Project
from localcloud.vercel.services import Services

routes: Routes[Services] = Routes()


def view(services: Services, project: Project) -> dict[str, Any]:
    """A project as clients see it."""
    store = services.store
    return project_view(
        project,
        aliases=store.aliases.all(project_id=project.id),
        deployments=store.deployments.all(project_id=project.id),
        variables=store.variables.all(project_id=project.id),
    )


@routes.add("GET", "/user")
async def user(_: Call[Services]) -> Any:
    """Whose token this is: the local account."""
    account = {"id": OWNER, "uid": OWNER, "email": "local@localhost", "username": SCOPE, "name": SCOPE}
    unset = dict.fromkeys(("avatar", "billing", "defaultTeamId", "softBlock"))
    limits = {"hasTrialAvailable": False, "resourceConfig": {}, "createdAt": 0, "stagingPrefix": SCOPE}
    return {"user": {**account, **unset, **limits}}


@routes.add("POST", "/projects")
async def create(call: Call[Services]) -> Any:
    """Make a project, with its first variables if they are given."""
    project = call.services.projects.create(call.body)
    if variables := call.body.get("environmentVariables"):
        call.services.variables.create_many(project, variables)
    return view(call.services, project)


@routes.add("GET", "/projects")
async def index(call: Call[Services]) -> Any:
    """Projects, newest first."""
    found = [
        project
        for project in reversed(call.services.store.projects.all())
        if call.query.get("search", "").lower() in project.name
    ]
    shown = found[: call.number("limit", 20)]
    pagination = {"count": len(shown), "next": None, "prev": None}
    return {"projects": [view(call.services, project) for project in shown], "pagination": pagination}


@routes.add("GET", "/projects/{project}")
async def get(call: Call[Services]) -> Any:
    """One project by id or name; `rollbackInfo` changes nothing, it is always there."""
    return view(call.services, call.services.projects.get(call.path["project"]))


@routes.add("PATCH", "/projects/{project}")
async def update(call: Call[Services]) -> Any:
    """Change a project's settings or its name."""
    projects = call.services.projects
    return view(call.services, projects.update(projects.get(call.path["project"]), call.body))


@routes.add("DELETE", "/projects/{project}")
async def delete(call: Call[Services]) -> Any:
    """End and forget a project with all that is its own."""
    project = call.services.projects.get(call.path["project"])
    await call.services.deployments.remove_all(project)
    call.services.store.delete_project(project.id)
    return Reply(204)


@routes.add("PATCH", "/projects/{project}/protection-bypass")
async def change_bypass(call: Call[Services]) -> Any:
    """Make or revoke the secret that passes deployment protection."""
    projects = call.services.projects
    project = projects.change_bypass(projects.get(call.path["project"]), call.body)
    return {"protectionBypass": view(call.services, project)["protectionBypass"]}


@routes.add("GET", "/projects/{project}/domains")
async def domains(call: Call[Services]) -> Any:
    """A project's domains."""
    project = call.services.projects.get(call.path["project"])
    found = [domain_view(domain) for domain in call.services.store.domains.all(project_id=project.id)]
    return {"domains": found, "pagination": {"count": len(found), "next": None, "prev": None}}


@routes.add("POST", "/projects/{project}/domains")
async def add_domain(call: Call[Services]) -> Any:
    """Add a domain; it serves at once what production serves."""
    projects = call.services.projects
    return domain_view(projects.add_domain(projects.get(call.path["project"]), call.body))


@routes.add("GET", "/projects/{project}/domains/{domain}")
async def get_domain(call: Call[Services]) -> Any:
    """One domain of a project."""
    projects = call.services.projects
    return domain_view(projects.domain(projects.get(call.path["project"]), call.path["domain"]))


@routes.add("DELETE", "/projects/{project}/domains/{domain}")
async def remove_domain(call: Call[Services]) -> Any:
    """Take a domain away from a project."""
    projects = call.services.projects
    call.services.aliasing.remove_domain(projects.domain(projects.get(call.path["project"]), call.path["domain"]))
    return {}
