"""Neon's project: the one resource whose outputs come from five requests."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.plugins.table import Block, Field, Json, Many, Patch, Resource

if TYPE_CHECKING:
    from localcloud.plugins.api import Api


def _default_branch(api: "Api", project: str) -> Json:
    branches: list[Json] = api.call("GET", f"/projects/{project}/branches").get("branches", [])
    for branch in branches:
        if branch.get("default"):
            return branch
    raise LookupError(f"project {project} has no default branch")


def _connection(api: "Api", properties: Json, project: Json) -> Json:
    """The default branch and how to reach it. Breaks, as the original, where its only endpoint is disabled."""
    of = f"/projects/{project['id']}/branches"
    branch = _default_branch(api, project["id"])
    endpoints: list[Json] = api.call("GET", f"{of}/{branch['id']}/endpoints").get("endpoints", [])
    usable = [endpoint for endpoint in endpoints if endpoint["type"] == "read_write" and not endpoint.get("disabled")]
    databases: list[Json] = api.call("GET", f"{of}/{branch['id']}/databases").get("databases", [])
    if not usable or not databases:
        raise LookupError(
            f"project {project['id']}: its default branch {branch['id']} "
            "has no enabled read-write endpoint with a database"
        )
    endpoint, database = usable[0], min(databases, key=lambda found: str(found.get("created_at", "")))
    owner, name = database["owner_name"], database["name"]
    password = ""
    if properties.get("storePassword", "yes") == "yes":
        password = api.call("GET", f"{of}/{branch['id']}/roles/{quote(owner)}/reveal_password")["password"]
    host = endpoint["host"]
    pooler = pooler_host(host)
    return {
        "branch": {"name": branch["name"], "roleName": owner, "databaseName": name},
        "defaultBranchId": branch["id"],
        "defaultBranchProtected": bool(branch.get("protected")),
        "defaultEndpointId": endpoint["id"],
        "databaseHost": host,
        "databaseHostPooler": pooler,
        "databaseName": name,
        "databaseUser": owner,
        "databasePassword": password,
        "connectionUri": _uri(owner, password, host, name),
        "connectionUriPooler": _uri(owner, password, pooler, name),
    }


def _uri(user: str, password: str, host: str, database: str) -> str:
    return f"postgres://{quote(user)}:{quote(password)}@{host}/{quote(database)}?sslmode=require"


def pooler_host(host: str) -> str:
    """`ep-x.region` -> `ep-x-pooler.region`."""
    label, dot, domain = host.partition(".")
    return host if label.endswith("-pooler") else f"{label}-pooler{dot}{domain}"


def _protect(api: "Api", properties: Json, project: Json) -> Json:
    """Protects the default branch where that was asked for."""
    branch = properties.get("defaultBranchId")
    if properties.get("defaultBranchProtected") and branch:
        api.call("PATCH", f"/projects/{project['id']}/branches/{branch}", {"branch": {"protected": True}})
        return {"defaultBranchProtected": True}
    return {}


def _protection_changed(api: "Api", old: Json, new: Json) -> None:
    wanted = bool(new.get("defaultBranchProtected"))
    if wanted != bool(old.get("defaultBranchProtected")):
        path = f"/projects/{old['id']}/branches/{old['defaultBranchId']}"
        api.call("PATCH", path, {"branch": {"protected": wanted}})


def _after_create(api: "Api", properties: Json, project: Json) -> Json:
    found = _connection(api, properties, project)
    wanted = {
        "defaultBranchProtected": properties.get("defaultBranchProtected"),
        "defaultBranchId": found["defaultBranchId"],
    }
    return found | _protect(api, wanted, project)


BRANCH = Block(
    "ProjectBranch",
    (
        Field(name="name", computed=True),
        Field(name="roleName", computed=True),
        Field(name="databaseName", computed=True),
    ),
)
ENDPOINT_SETTINGS = Block(
    "ProjectDefaultEndpointSettings",
    (
        Field(name="autoscalingLimitMinCu", kind="number", computed=True, doc="Smallest compute, in CU."),
        Field(name="autoscalingLimitMaxCu", kind="number", computed=True, doc="Largest compute, in CU."),
        Field(name="suspendTimeoutSeconds", kind="number", computed=True, doc="Idle seconds before it suspends."),
    ),
)
QUOTA = Block(
    "ProjectQuota",
    (
        Field(name="activeTimeSeconds", kind="number"),
        Field(name="computeTimeSeconds", kind="number"),
        Field(name="dataTransferBytes", kind="number"),
        Field(name="logicalSizeBytes", kind="number"),
        Field(name="writtenDataBytes", kind="number"),
    ),
)
WINDOW = Block(
    "ProjectMaintenanceWindow",
    (
        Field(name="weekdays", kind=Many("number"), required=True, doc="1 is Monday."),
        Field(name="startTime", required=True, doc="UTC, HH:MM."),
        Field(name="endTime", required=True, doc="UTC, HH:MM."),
    ),
)

PROJECT = Resource(
    module="project",
    doc="A Neon project with its default branch.",
    envelope="project",
    create="/projects",
    read="/projects/{id}",
    update="/projects/{id}",
    delete="/projects/{id}",
    imports=("id",),
    autoname=True,
    after_create=_after_create,
    after_read=_connection,
    after_update=_protection_changed,
    patches=(
        Patch(
            (
                "name",
                "historyRetentionSeconds",
                "defaultEndpointSettings",
                "quota",
                "allowedIps",
                "allowedIpsProtectedBranchesOnly",
                "blockPublicConnections",
                "blockVpcConnections",
                "enableLogicalReplication",
                "hipaa",
                "maintenanceWindow",
            )
        ),
    ),
    fields=(
        Field(name="name", computed=True),
        Field(name="orgId", replaces=True, computed=True, doc="The organization that owns it."),
        Field(name="regionId", replaces=True, computed=True),
        Field(name="pgVersion", kind="number", replaces=True, computed=True, doc="Major version of Postgres."),
        Field(name="branch", kind=BRANCH, replaces=True, computed=True, doc="The default branch, whichever it is."),
        Field(name="storePassword", default="yes", codec="flag", wire="store_passwords"),
        Field(name="historyRetentionSeconds", kind="number", default=86400, doc="How far back a branch can start."),
        Field(name="computeProvisioner", computed=True, wire="provisioner"),
        Field(name="quota", kind=QUOTA, computed=True, wire="settings.quota"),
        Field(name="defaultEndpointSettings", kind=ENDPOINT_SETTINGS, computed=True),
        Field(name="allowedIps", kind=Many(), wire="settings.allowed_ips.ips"),
        Field(
            name="allowedIpsProtectedBranchesOnly",
            codec="flag",
            computed=True,
            wire="settings.allowed_ips.protected_branches_only",
        ),
        Field(name="blockPublicConnections", codec="flag", computed=True, wire="settings.block_public_connections"),
        Field(name="blockVpcConnections", codec="flag", computed=True, wire="settings.block_vpc_connections"),
        Field(name="enableLogicalReplication", codec="flag", computed=True, wire="settings.enable_logical_replication"),
        Field(name="hipaa", codec="flag", computed=True, wire="settings.hipaa"),
        Field(name="maintenanceWindow", kind=WINDOW, computed=True, wire="settings.maintenance_window"),
        Field(name="defaultBranchProtected", kind="boolean", default=False, wire="-"),
        Field(name="connectionUri", secret=True, output=True, wire="-"),
        Field(name="connectionUriPooler", secret=True, output=True, wire="-"),
        Field(name="databaseHost", output=True, wire="-"),
        Field(name="databaseHostPooler", output=True, wire="-"),
        Field(name="databaseName", output=True, wire="-"),
        Field(name="databasePassword", secret=True, output=True, wire="-"),
        Field(name="databaseUser", output=True, wire="-"),
        Field(name="defaultBranchId", output=True, wire="-"),
        Field(name="defaultEndpointId", output=True, wire="-"),
    ),
)
