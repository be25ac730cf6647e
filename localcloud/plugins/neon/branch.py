"""What lives in a Neon project: branches, the computes that serve them, their roles and databases."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.plugins.neon.project import pooler_host
from localcloud.plugins.table import Field, Json, Many, Patch, Resource

if TYPE_CHECKING:
    from localcloud.plugins.api import Api


def _pooled(answer: Json) -> Json:
    endpoint: Json = answer["endpoint"]
    return {**endpoint, "host": pooler_host(endpoint["host"])} if endpoint.get("pooler_enabled") else endpoint


def _reveal(api: "Api", properties: Json, role: Json) -> Json:
    of = f"/projects/{properties['projectId']}/branches/{properties['branchId']}"
    return {"password": api.call("GET", f"{of}/roles/{quote(role['name'])}/reveal_password")["password"]}


# No patch carries parentId or projectId: a change of either is reported as made and never sent.
BRANCH = Resource(
    module="branch",
    doc="A branch of a Neon project. It has no endpoint until one is made for it.",
    envelope="branch",
    create="/projects/{projectId}/branches",
    read="/projects/{projectId}/branches/{id}",
    update="/projects/{projectId}/branches/{id}",
    delete="/projects/{projectId}/branches/{id}",
    imports=("projectId", "id"),
    autoname=True,
    patches=(Patch(("name",)), Patch(("protected",))),
    fields=(
        Field(name="projectId", required=True, wire="-"),
        Field(name="name", computed=True),
        Field(name="parentId", computed=True, doc="Defaults to the project's default branch."),
        Field(name="parentLsn", replaces=True, computed=True, doc="Where in the parent's history it starts."),
        Field(
            name="parentTimestamp",
            kind="number",
            replaces=True,
            computed=True,
            codec="unix",
            doc="When in the parent's history it starts, in Unix seconds.",
        ),
        Field(name="protected", default="no", codec="flag"),
        Field(name="logicalSize", kind="number", output=True),
    ),
)

ENDPOINT = Resource(
    module="endpoint",
    doc="A compute that serves one branch.",
    envelope="endpoint",
    create="/projects/{projectId}/endpoints",
    read="/projects/{projectId}/endpoints/{id}",
    update="/projects/{projectId}/endpoints/{id}",
    delete="/projects/{projectId}/endpoints/{id}",
    imports=("projectId", "id"),
    answer=_pooled,
    patches=(
        Patch(
            (
                "branchId",
                "type",
                "autoscalingLimitMinCu",
                "autoscalingLimitMaxCu",
                "pgSettings",
                "poolerEnabled",
                "poolerMode",
                "disabled",
                "computeProvisioner",
                "suspendTimeoutSeconds",
            ),
            whole=True,
        ),
    ),
    fields=(
        Field(name="projectId", required=True, wire="-"),
        Field(name="branchId", required=True),
        Field(name="type", default="read_write", doc="read_write or read_only."),
        Field(name="regionId", replaces=True, computed=True),
        Field(name="autoscalingLimitMinCu", kind="number", computed=True, doc="Smallest compute, in CU."),
        Field(name="autoscalingLimitMaxCu", kind="number", computed=True, doc="Largest compute, in CU."),
        Field(name="pgSettings", kind=Many(keyed=True), computed=True, wire="settings.pg_settings"),
        Field(name="poolerEnabled", kind="boolean", default=False),
        Field(name="poolerMode", computed=True),
        Field(name="disabled", kind="boolean", default=False),
        Field(name="computeProvisioner", computed=True, wire="provisioner"),
        Field(name="suspendTimeoutSeconds", kind="number", default=0, doc="0 is Neon's default, -1 is never."),
        Field(name="host", output=True),
        Field(name="proxyHost", output=True),
    ),
)

ROLE = Resource(
    module="role",
    doc="A Postgres role made through Neon's API.",
    envelope="role",
    create="/projects/{projectId}/branches/{branchId}/roles",
    read="/projects/{projectId}/branches/{branchId}/roles/{name}",
    delete="/projects/{projectId}/branches/{branchId}/roles/{name}",
    identity="{projectId}/{branchId}/{name}",
    imports=("projectId", "branchId", "name"),
    autoname=True,
    after_create=_reveal,
    after_read=_reveal,
    fields=(
        Field(name="projectId", required=True, replaces=True, wire="-"),
        Field(name="branchId", required=True, replaces=True, wire="-"),
        Field(name="name", replaces=True, computed=True),
        Field(name="password", secret=True, output=True),
        Field(name="protected", kind="boolean", output=True),
    ),
)

DATABASE = Resource(
    module="database",
    doc="A database of a branch.",
    envelope="database",
    create="/projects/{projectId}/branches/{branchId}/databases",
    read="/projects/{projectId}/branches/{branchId}/databases/{name}",
    update="/projects/{projectId}/branches/{branchId}/databases/{name}",
    delete="/projects/{projectId}/branches/{branchId}/databases/{name}",
    identity="{projectId}/{branchId}/{name}",
    imports=("projectId", "branchId", "name"),
    autoname=True,
    patches=(Patch(("name",)),),
    fields=(
        Field(name="projectId", required=True, replaces=True, wire="-"),
        Field(name="branchId", required=True, replaces=True, wire="-"),
        Field(name="ownerName", required=True, replaces=True),
        Field(name="name", computed=True),
    ),
)
