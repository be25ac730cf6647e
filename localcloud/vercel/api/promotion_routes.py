"""Promote, rollback and aliases over HTTP."""

from typing import Any

from localcloud.vercel.api.routing import Call, Reply, Routes
from localcloud.vercel.api.views import alias_view
from localcloud.vercel.errors import BadRequestError, NotFoundError
from localcloud.vercel.models import Alias, Deployment, Project
from localcloud.vercel.services import Services

routes: Routes[Services] = Routes()


@routes.add("POST", "/projects/{project}/promote/{deployment}")
async def promote(call: Call[Services]) -> Any:
    """201: the domains have moved. 202: a preview is being rebuilt for production, and gets them when it is ready."""
    moved = await call.services.deployments.promote(*_pair(call))
    return Reply(201 if moved else 202)


@routes.add("POST", "/projects/{project}/rollback/{deployment}")
async def rollback(call: Call[Services]) -> Any:
    """201: the domains are back and stay until a promote."""
    await call.services.deployments.rollback(*_pair(call))
    return Reply(201)


@routes.add("GET", "/projects/{project}/promote/aliases")
async def promoted_aliases(call: Call[Services]) -> Any:
    """How far the last promote or rollback has come: always completed."""
    project = call.services.projects.get(call.path["project"])
    if project.last_alias_request is None:
        return {"aliases": [], "pagination": {"count": 0, "next": None, "prev": None}}
    domains = {domain.name for domain in call.services.store.domains.all(project_id=project.id) if domain.is_production}
    found = [alias for alias in call.services.store.aliases.all(project_id=project.id) if alias.host in domains]
    if call.flag("failedOnly"):
        found = []
    shown = [{"alias": alias.host, "id": alias.uid, "status": "completed"} for alias in found]
    return {"aliases": shown, "pagination": {"count": len(shown), "next": None, "prev": None}}


@routes.add("GET", "/aliases")
async def aliases(call: Call[Services]) -> Any:
    """All aliases, or those of a project."""
    store = call.services.store
    where = {"project_id": call.services.projects.get(call.query["projectId"]).id} if "projectId" in call.query else {}
    found = store.aliases.all(**where)[: call.number("limit", 20)]
    return {
        "aliases": [_view(call, alias) for alias in found],
        "pagination": {"count": len(found), "next": None, "prev": None},
    }


@routes.add("GET", "/aliases/{alias}")
async def alias(call: Call[Services]) -> Any:
    """One alias by host or id."""
    return _view(call, _find(call))


@routes.add("DELETE", "/aliases/{alias}")
async def remove_alias(call: Call[Services]) -> Any:
    """Take a host away from its deployment."""
    call.services.store.aliases.delete(host=_find(call).host)
    return {"status": "SUCCESS"}


@routes.add("GET", "/deployments/{deployment}/aliases")
async def deployment_aliases(call: Call[Services]) -> Any:
    """The hosts that point to a deployment."""
    deployment = call.services.deployments.get(call.path["deployment"])
    return {"aliases": [_view(call, alias) for alias in call.services.store.aliases.all(deployment_id=deployment.id)]}


@routes.add("POST", "/deployments/{deployment}/aliases")
async def assign(call: Call[Services]) -> Any:
    """Point a host to a deployment."""
    host = str(call.body.get("alias", "")).lower()
    if not host or "/" in host:
        raise BadRequestError("alias must be a host name")
    host = host if "." in host else f"{host}.vercel.app"
    deployment = call.services.deployments.get(call.path["deployment"])
    assigned, before = call.services.aliasing.assign(host, deployment)
    return {**_view(call, assigned), "oldDeploymentId": before}


def _pair(call: Call[Services]) -> tuple[Project, Deployment]:
    project = call.services.projects.get(call.path["project"])
    deployment = call.services.deployments.get(call.path["deployment"])
    if deployment.project_id != project.id:
        raise NotFoundError(f"{deployment.id} is no deployment of {project.name}")
    return project, deployment


def _find(call: Call[Services]) -> Alias:
    wanted = call.path["alias"]
    store = call.services.store
    found = store.aliases.find(host=wanted) or store.aliases.find(uid=wanted)
    if found is None:
        raise NotFoundError(f"The alias {wanted} was not found")
    return found


def _view(call: Call[Services], alias: Alias) -> dict[str, Any]:
    return alias_view(alias, call.services.store.deployments.find(id=alias.deployment_id))
