"""The shapes that go over the wire, field names as in Vercel's SDK. No view holds a captured environment."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from localcloud.vercel.models import (
    OWNER,
    SCOPE,
    Alias,
    AliasRequest,
    BuildEvent,
    Deployment,
    Domain,
    Project,
    ReadyState,
    Variable,
    VariableType,
)

_CREATOR = {"uid": OWNER, "username": SCOPE, "email": "local@localhost"}
_NULL_SETTINGS = (
    "framework",
    "buildCommand",
    "devCommand",
    "installCommand",
    "outputDirectory",
    "rootDirectory",
    "commandForIgnoringBuildStep",
    "ssoProtection",
    "passwordProtection",
    "trustedIps",
)


def project_view(
    project: Project, *, aliases: Iterable[Alias], deployments: Iterable[Deployment], variables: Iterable[Variable]
) -> dict[str, Any]:
    """A project; `targets.production` is what its domains serve now."""
    newest_first = list(deployments)[::-1]
    serving = next((deployment for deployment in newest_first if deployment.id == project.production), None)
    hosts: dict[str, list[str]] = {}
    for alias in aliases:
        hosts.setdefault(alias.deployment_id, []).append(alias.host)
    return {
        **dict.fromkeys(_NULL_SETTINGS),
        "nodeVersion": "20.x",
        "autoAssignCustomDomains": True,
        "autoExposeSystemEnvs": True,
        "directoryListing": False,
        "sourceFilesOutsideRootDirectory": True,
        "live": False,
        **project.settings,
        "accountId": OWNER,
        "alias": [],
        "createdAt": project.created_at,
        "updatedAt": project.updated_at,
        "id": project.id,
        "name": project.name,
        "deploymentExpiration": {},
        "defaultResourceConfig": {"functionDefaultRegions": ["dev1"]},
        "resourceConfig": {"functionDefaultRegions": ["dev1"], **(project.settings.get("resourceConfig") or {})},
        "env": [variable_view(variable, decrypt=False) for variable in variables],
        "latestDeployments": [
            _target_view(deployment, hosts.get(deployment.id, [])) for deployment in newest_first[:10]
        ],
        "targets": {"production": _target_view(serving, hosts.get(serving.id, []))} if serving else {},
        "protectionBypass": {
            secret: {"createdAt": created, "createdBy": OWNER, "scope": "automation-bypass", "isEnvVar": True}
            for secret, created in project.bypass.items()
        },
        "lastAliasRequest": _alias_request_view(project.last_alias_request),
        "lastRollbackTarget": {"deploymentId": project.held_at} if project.held_at else None,
    }


def variable_view(variable: Variable, *, decrypt: bool) -> dict[str, Any]:
    """A variable; the value of a sensitive one is never told, that of an encrypted one to who asks for it."""
    open_text = variable.type is VariableType.PLAIN or (decrypt and variable.type is not VariableType.SENSITIVE)
    return {
        "id": variable.id,
        "key": variable.key,
        "value": variable.value if open_text else "",
        "type": variable.type,
        "target": variable.target,
        "gitBranch": variable.git_branch,
        "customEnvironmentIds": variable.custom_environments,
        "comment": variable.comment,
        "configurationId": variable.configuration_id,
        **({"contentHint": variable.content_hint} if variable.content_hint else {}),
        "createdAt": variable.created_at,
        "updatedAt": variable.updated_at,
        "createdBy": OWNER,
        "updatedBy": None,
        "decrypted": open_text,
        "securityIssues": [],
    }


def domain_view(domain: Domain) -> dict[str, Any]:
    """A project's domain; locally every domain counts as verified."""
    return {
        "name": domain.name,
        "apexName": ".".join(domain.name.split(".")[-2:]),
        "projectId": domain.project_id,
        "redirect": domain.redirect,
        "redirectStatusCode": domain.redirect_status,
        "gitBranch": domain.git_branch,
        "customEnvironmentId": None,
        "createdAt": domain.created_at,
        "updatedAt": domain.created_at,
        "verified": True,
    }


def alias_view(alias: Alias, deployment: Deployment | None) -> dict[str, Any]:
    """A host and the deployment behind it."""
    behind = {"id": deployment.id, "url": deployment.host, "meta": json.dumps(deployment.meta)} if deployment else None
    return {
        "uid": alias.uid,
        "alias": alias.host,
        "created": _iso(alias.created_at),
        "createdAt": alias.created_at,
        "updatedAt": alias.updated_at,
        "deletedAt": None,
        "deploymentId": alias.deployment_id,
        "projectId": alias.project_id,
        "redirect": None,
        **({"deployment": behind} if behind else {}),
    }


def deployment_view(deployment: Deployment, *, project: Project, aliases: Iterable[Alias]) -> dict[str, Any]:
    """A deployment in full, as `GET /v13/deployments/{id}` answers; of its environment only the names."""
    hosts = [alias.host for alias in aliases]
    return {
        **_state_fields(deployment),
        "id": deployment.id,
        "uid": deployment.id,
        "name": deployment.name,
        "url": deployment.host,
        "projectId": deployment.project_id,
        "project": {"id": project.id, "name": project.name, "framework": project.settings.get("framework")},
        "target": deployment.target,
        "alias": hosts,
        "automaticAliases": hosts,
        "aliasAssigned": deployment.alias_assigned_at is not None,
        "aliasAssignedAt": deployment.alias_assigned_at,
        "aliasError": None,
        "autoAssignCustomDomains": not project.stages,
        "meta": deployment.meta,
        "env": deployment.own_env,
        "build": {"env": sorted(deployment.build_env.keys() - deployment.env.keys())},
        "projectSettings": {"nodeVersion": "20.x", **deployment.settings},
        "inspectorUrl": _inspector(project.name, deployment),
        "source": deployment.source,
        "originalDeploymentId": deployment.origin,
        "bootedAt": deployment.building_at or deployment.created_at,
        "buildingAt": deployment.building_at or deployment.created_at,
        "buildSkipped": False,
        "createdIn": "dev1",
        "creator": _CREATOR,
        "ownerId": OWNER,
        "isInConcurrentBuildsQueue": deployment.state is ReadyState.QUEUED,
        "isInSystemBuildsQueue": False,
        "plan": "pro",
        "public": False,
        "regions": ["dev1"],
        "routes": [],
        "type": "LAMBDAS",
        "version": 2,
    }


def deployment_row(deployment: Deployment, *, project_name: str) -> dict[str, Any]:
    """A deployment in a list."""
    return {
        **_state_fields(deployment),
        "uid": deployment.id,
        "name": deployment.name,
        "url": deployment.host,
        "projectId": deployment.project_id,
        "created": deployment.created_at,
        "state": deployment.state,
        "target": deployment.target,
        "aliasAssigned": deployment.alias_assigned_at,
        "aliasError": None,
        "creator": _CREATOR,
        "inspectorUrl": _inspector(project_name, deployment),
        "isRollbackCandidate": deployment.is_production and deployment.substate == "PROMOTED",
        "meta": deployment.meta,
        "source": deployment.source,
        "type": "LAMBDAS",
    }


def event_view(event: BuildEvent, serial: int) -> dict[str, Any]:
    """A line of a build's log; both of Vercel's shapes in one, the flat one and the one with a payload."""
    line = {
        "deploymentId": event.deployment_id,
        "id": event.id,
        "text": event.text,
        "date": event.created_at,
        "serial": str(serial),
        "info": {"type": "build", "name": "build"},
    }
    return {**line, "type": event.type, "created": event.created_at, "payload": line}


def _alias_request_view(request: AliasRequest | None) -> dict[str, Any] | None:
    if request is None:
        return None
    return {
        "type": request.kind,
        "fromDeploymentId": request.origin,
        "toDeploymentId": request.goal,
        "requestedAt": request.requested_at,
        "jobStatus": "succeeded",
    }


def _target_view(deployment: Deployment, hosts: list[str]) -> dict[str, Any]:
    return {
        **_state_fields(deployment),
        "id": deployment.id,
        "name": deployment.name,
        "url": deployment.host,
        "deploymentHostname": deployment.host.partition(".")[0],
        "alias": hosts,
        "aliasAssigned": deployment.alias_assigned_at,
        "aliasError": None,
        "createdIn": "dev1",
        "creator": _CREATOR,
        "meta": deployment.meta,
        "plan": "pro",
        "private": True,
        "readyAt": deployment.ready_at,
        "target": deployment.target,
        "type": "LAMBDAS",
        "userId": OWNER,
    }


def _state_fields(deployment: Deployment) -> dict[str, Any]:
    fields = {
        "createdAt": deployment.created_at,
        "buildingAt": deployment.building_at,
        "ready": deployment.ready_at,
        "readyState": deployment.state,
        "status": deployment.state,
        "readySubstate": deployment.substate,
        "errorCode": deployment.error_code,
        "errorMessage": deployment.error_message,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _inspector(project_name: str, deployment: Deployment) -> str:
    return f"https://vercel.com/{SCOPE}/{project_name}/{deployment.id.removeprefix('dpl_')}"


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
