"""Vercel's project. Its create request takes some of the settings; the others follow in an update."""

from typing import TYPE_CHECKING, Any

from localcloud.plugins.table import Block, Field, Json, Many, Patch, Resource

if TYPE_CHECKING:
    from localcloud.plugins.api import Api

PROTECTION = {
    "standard_protection": "prod_deployment_urls_and_all_previews",
    "standard_protection_new": "all_except_custom_domains",
    "all_deployments": "all",
    "only_preview_deployments": "preview",
}


def setting(name: str, kind: Any = "string", **options: Any) -> Field:
    """A field that Vercel spells as the schema does."""
    return Field(name=name, kind=kind, **{"wire": name, **options})


def _body(properties: Json, body: Json) -> Json:
    wanted = properties.get("vercelAuthentication") or {}
    if "deploymentType" in wanted and "ssoProtection" in body:
        spelled = PROTECTION.get(wanted["deploymentType"])
        body["ssoProtection"] = {"deploymentType": spelled} if spelled else None
    return body


def _answer(answer: Json) -> Json:
    protection = answer.get("ssoProtection")
    spelled = {api: ours for ours, api in PROTECTION.items()}
    shown = "none" if not protection else spelled.get(protection.get("deploymentType"), "standard_protection_new")
    return {**answer, "ssoProtection": {"deploymentType": shown}}


def _environment(api: "Api", properties: Json, project: Json) -> Json:
    query = {"teamId": properties["teamId"]} if properties.get("teamId") else None
    api.call("GET", f"/v8/projects/{project['id']}/env?decrypt=true&limit=100", None, query)
    return {}


GIT = Block(
    "ProjectGitRepository",
    (setting("repo", required=True), setting("type", required=True), setting("productionBranch", computed=True)),
)
RESOURCES = Block(
    "ProjectResourceConfig",
    (
        setting("fluid", "boolean", computed=True),
        setting("functionDefaultCpuType", computed=True, wire="functionDefaultMemoryType"),
        setting("functionDefaultRegions", Many(), computed=True, unordered=True),
        setting("functionDefaultTimeout", "number", computed=True),
    ),
)
AUTHENTICATION = Block("ProjectVercelAuthentication", (setting("deploymentType", computed=True),))

PROJECT = Resource(
    module="project",
    doc="A Vercel project.",
    create="/v8/projects",
    read="/v10/projects/{id}",
    update="/v9/projects/{id}",
    delete="/v8/projects/{id}",
    imports=("id",),
    autoname=True,
    query=(("teamId", "teamId"),),
    body=_body,
    answer=_answer,
    after_create=_environment,
    patches=(
        Patch(
            (
                "name",
                "framework",
                "buildCommand",
                "devCommand",
                "ignoreCommand",
                "installCommand",
                "outputDirectory",
                "rootDirectory",
                "publicSource",
                "resourceConfig",
                "nodeVersion",
                "autoAssignCustomDomains",
                "vercelAuthentication",
                "prioritiseProductionBuilds",
                "skewProtection",
                "directoryListing",
                "gitForkProtection",
            ),
            whole=True,
        ),
    ),
    fields=(
        setting("name", computed=True),
        setting("framework"),
        setting("gitRepository", GIT),
        setting("buildCommand"),
        setting("devCommand"),
        setting("ignoreCommand", wire="commandForIgnoringBuildStep"),
        setting("installCommand"),
        setting("outputDirectory"),
        setting("rootDirectory"),
        setting("publicSource", "boolean"),
        setting("resourceConfig", RESOURCES, computed=True),
        setting("nodeVersion", computed=True, late=True),
        setting("autoAssignCustomDomains", "boolean", computed=True, late=True),
        setting("vercelAuthentication", AUTHENTICATION, computed=True, late=True, wire="ssoProtection"),
        setting(
            "prioritiseProductionBuilds", "boolean", computed=True, late=True, wire="productionDeploymentsFastLane"
        ),
        setting("skewProtection", computed=True, late=True, wire="skewProtectionMaxAge"),
        setting("directoryListing", "boolean", computed=True, late=True),
        setting("gitForkProtection", "boolean", computed=True, late=True),
        setting("teamId", computed=True, replaces=True, wire="-"),
    ),
)
