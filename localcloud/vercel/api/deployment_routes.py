"""Files and deployments over HTTP."""

import json
from typing import Any

from aiohttp import web

from localcloud.vercel.api.routing import Call, Routes
from localcloud.vercel.api.views import deployment_row, deployment_view, event_view
from localcloud.vercel.errors import BadRequestError
from localcloud.vercel.models import Deployment
from localcloud.vercel.orders import Order, read_changes
from localcloud.vercel.services import Services

routes: Routes[Services] = Routes()

_META = "meta-"


def view(services: Services, deployment: Deployment) -> dict[str, Any]:
    """A deployment as clients see it."""
    project = services.projects.get(deployment.project_id)
    return deployment_view(deployment, project=project, aliases=services.store.aliases.all(deployment_id=deployment.id))


@routes.add("POST", "/files", raw=True)
async def upload(call: Call[Services]) -> Any:
    """Keep one file; its digest stands in a header."""
    headers = call.request.headers
    expected = headers.get("x-vercel-digest") or headers.get("x-now-digest")
    await call.services.blobs.receive(call.request.content, expected)
    return {"urls": []}


@routes.add("POST", "/deployments")
async def create(call: Call[Services]) -> Any:
    """Deploy files, or the files of an earlier deployment with the environment as it is now."""
    services, body = call.services, call.body
    if origin_id := body.get("deploymentId"):
        origin = services.deployments.get(origin_id)
        project = services.projects.get(body.get("project") or origin.project_id)
        if origin.project_id != project.id:
            raise BadRequestError(f"{origin_id} is no deployment of {project.name}")
        changes = read_changes(body)
        changes |= {"name": body["name"]} if body.get("name") else {}
        return view(services, await services.deployments.redeploy(project, origin, **changes))
    named = body.get("project") or body.get("name")
    if not named:
        raise BadRequestError("project or name is required")
    known = services.store.project(named)
    # A deployment by name alone makes its project, as on Vercel; one of a project needs it.
    project = (
        services.projects.create({"name": named})
        if known is None and "project" not in body
        else services.projects.get(named)
    )
    order = Order.read(body, body.get("name") or project.name, services.blobs)
    return view(services, await services.deployments.create(project, order))


@routes.add("GET", "/deployments")
async def index(call: Call[Services]) -> Any:
    """Deployments, newest first; `meta-<key>=<value>` filters by metadata."""
    services, query = call.services, call.query
    wanted = query.get("projectId") or query.get("app")
    project = services.store.project(wanted) if wanted else None
    begin, end = call.number("since", 0), call.number("until", 1 << 62)
    if wanted and project is None:
        return _page([], call)
    found = services.store.deployments.all(**({"project_id": project.id} if project else {}))
    return _page(
        [
            deployment
            for deployment in reversed(found)
            if _matches(deployment, query) and begin <= deployment.created_at < end
        ],
        call,
    )


@routes.add("GET", "/deployments/{deployment}")
async def get(call: Call[Services]) -> Any:
    """One deployment, by id, own host or alias."""
    return view(call.services, call.services.deployments.get(call.path["deployment"]))


@routes.add("DELETE", "/deployments/{deployment}")
async def delete(call: Call[Services]) -> Any:
    """End and forget a deployment."""
    deployment = call.services.deployments.get(call.path["deployment"])
    await call.services.deployments.remove(deployment)
    return {"uid": deployment.id, "state": "DELETED"}


@routes.add("PATCH", "/deployments/{deployment}/cancel")
async def cancel(call: Call[Services]) -> Any:
    """Stop a build."""
    deployments = call.services.deployments
    return view(call.services, await deployments.cancel(deployments.get(call.path["deployment"])))


@routes.add("GET", "/deployments/{deployment}/events")
async def events(call: Call[Services]) -> Any:
    """A build's log; with `follow` once the build is done."""
    deployment = call.services.deployments.get(call.path["deployment"])
    follow = call.flag("follow")
    if follow:
        await call.services.deployments.finished(deployment.id)
    found = call.services.store.events.all(deployment_id=deployment.id)
    views = [event_view(event, serial) for serial, event in enumerate(found, 1)]
    views = [event for event in views if event["created"] >= call.number("since", 0)]
    if call.query.get("direction") == "backward":
        views.reverse()
    limit = call.number("limit", -1)
    views = views[:limit] if limit >= 0 else views
    if follow or call.query.get("format") == "lines":
        lines = "".join(json.dumps(event) + "\n" for event in views)
        return web.Response(text=lines, content_type="application/stream+json")
    return views


@routes.add("GET", "/deployments/{deployment}/builds")
async def builds(call: Call[Services]) -> Any:
    """A deployment's builds: always one."""
    deployment = call.services.deployments.get(call.path["deployment"])
    return {
        "builds": [
            {
                "id": f"bld_{deployment.id.removeprefix('dpl_')}",
                "deploymentId": deployment.id,
                "entrypoint": ".",
                "readyState": deployment.state,
                "readyStateAt": deployment.ready_at,
                "createdAt": deployment.created_at,
                "output": [],
            }
        ]
    }


def _matches(deployment: Deployment, query: dict[str, str]) -> bool:
    states = [state.strip().upper() for state in query.get("state", "").split(",") if state.strip()]
    target = query.get("target")
    meta = {key.removeprefix(_META): value for key, value in query.items() if key.startswith(_META)}
    return (
        (not states or deployment.state in states)
        and (target is None or (deployment.target or "preview") == target)
        and all(deployment.meta.get(key) == value for key, value in meta.items())
    )


def _page(found: list[Deployment], call: Call[Services]) -> dict[str, Any]:
    limit = min(call.number("limit", 20), 100)
    shown = found[:limit]
    names = {project.id: project.name for project in call.services.store.projects.all()}
    following = shown[-1].created_at if len(found) > limit and shown else None
    return {
        "deployments": [deployment_row(deployment, project_name=names[deployment.project_id]) for deployment in shown],
        "pagination": {"count": len(shown), "next": following, "prev": shown[0].created_at if shown else None},
    }
