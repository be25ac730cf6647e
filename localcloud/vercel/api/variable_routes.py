"""A project's environment variables over HTTP."""

from typing import Any

from localcloud.vercel.api.routing import Call, Reply, Routes
from localcloud.vercel.api.views import variable_view
from localcloud.vercel.environment import project_environment
from localcloud.vercel.errors import BadRequestError
from localcloud.vercel.models import VariableType
from localcloud.vercel.services import Services

routes: Routes[Services] = Routes()


@routes.add("GET", "/projects/{project}/env")
async def index(call: Call[Services]) -> Any:
    """A project's variables; `decrypt` shows the encrypted ones."""
    project = call.services.projects.get(call.path["project"])
    target, branch = call.query.get("target"), call.query.get("gitBranch")
    found = [
        variable
        for variable in call.services.store.variables.all(project_id=project.id)
        if (target is None or target in variable.target) and (branch is None or variable.git_branch in (None, branch))
    ]
    return {
        "envs": [variable_view(variable, decrypt=call.flag("decrypt")) for variable in found],
        "pagination": {"count": len(found), "next": None, "prev": None},
    }


@routes.add("POST", "/projects/{project}/env")
async def create(call: Call[Services]) -> Any:
    """Add one variable or a list of them; 400 if none could be added."""
    project = call.services.projects.get(call.path["project"])
    many = isinstance(call.json, list)
    bodies = call.json if many else [call.body]
    if not all(isinstance(body, dict) for body in bodies):
        raise BadRequestError("every environment variable must be a JSON object")
    created, failed = call.services.variables.create_many(project, bodies, upsert=call.flag("upsert"))
    if failed and not created:
        raise failed[0][1]
    views = [variable_view(variable, decrypt=True) for variable in created]
    refused = [{"error": {**error.body()["error"], "key": body.get("key")}} for body, error in failed]
    return Reply(201, {"created": views if many else views[0], "failed": refused})


@routes.add("GET", "/projects/{project}/env/{variable}")
async def get(call: Call[Services]) -> Any:
    """One variable, decrypted unless it is sensitive."""
    project = call.services.projects.get(call.path["project"])
    return variable_view(call.services.variables.get(project, call.path["variable"]), decrypt=True)


@routes.add("PATCH", "/projects/{project}/env/{variable}")
async def update(call: Call[Services]) -> Any:
    """Change a variable."""
    project = call.services.projects.get(call.path["project"])
    return variable_view(call.services.variables.update(project, call.path["variable"], call.body), decrypt=True)


@routes.add("DELETE", "/projects/{project}/env/{variable}")
async def delete(call: Call[Services]) -> Any:
    """Remove a variable."""
    project = call.services.projects.get(call.path["project"])
    variable = call.services.variables.get(project, call.path["variable"])
    call.services.store.variables.delete(id=variable.id)
    return variable_view(variable, decrypt=False)


@routes.add("GET", "/env/pull/{project}/{target}")
async def pull(call: Call[Services]) -> Any:
    """The values of a target, as `vercel env pull` writes them."""
    return _pulled(call, None)


@routes.add("GET", "/env/pull/{project}/{target}/{branch}")
async def pull_branch(call: Call[Services]) -> Any:
    """The same for a git branch."""
    return _pulled(call, call.path["branch"])


def _pulled(call: Call[Services], branch: str | None) -> Any:
    project = call.services.projects.get(call.path["project"])
    readable = [
        variable
        for variable in call.services.store.variables.all(project_id=project.id)
        if variable.type is not VariableType.SENSITIVE
    ]
    return {"env": project_environment(readable, target=call.path["target"], git_branch=branch), "buildEnv": {}}
