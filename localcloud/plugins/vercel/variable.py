"""One environment variable of a Vercel project."""

from typing import TYPE_CHECKING

from localcloud.plugins.table import Json, Many, Patch, Resource
from localcloud.plugins.vercel.project import setting

if TYPE_CHECKING:
    from localcloud.plugins.api import Api


def _project_first(api: "Api", properties: Json) -> None:
    query = {"teamId": properties["teamId"]} if properties.get("teamId") else None
    api.call("GET", f"/v10/projects/{properties['projectId']}", None, query)


def _body(properties: Json, body: Json) -> Json:
    given = properties.get("value")
    value = given if given is not None else properties.get("valueWo")
    kind = "sensitive" if properties.get("sensitive") else "encrypted"
    return {**body, "type": kind, **({} if value is None else {"value": value})}


def _answer(answer: Json) -> Json:
    """The row itself; the value of a sensitive one is never there."""
    created = answer.get("created", answer)
    row: Json = dict(created[0] if isinstance(created, list) else created)
    if row.get("type") == "sensitive" or row.get("value") == "":
        row.pop("value", None)
    if isinstance(row.get("target"), str):
        row["target"] = [row["target"]]
    return {**row, "sensitive": row.get("type") == "sensitive"}


def _check(inputs: Json) -> list[tuple[str, str]]:
    failures = []
    if (inputs.get("value") is None) == (inputs.get("valueWo") is None):
        failures.append(("", "an environment variable needs exactly one of value and valueWo"))
    if not inputs.get("targets") and not inputs.get("customEnvironmentIds"):
        failures.append(("targets", "an environment variable needs targets or customEnvironmentIds"))
    if inputs.get("sensitive") is True and "development" in (inputs.get("targets") or []):
        failures.append(("targets", "a sensitive environment variable cannot have the target development"))
    return failures


VARIABLE = Resource(
    module="projectEnvironmentVariable",
    doc="An environment variable. A running deployment never sees a change of it.",
    create="/v10/projects/{projectId}/env",
    read="/v10/projects/{projectId}/env/{id}",
    update="/v10/projects/{projectId}/env/{id}",
    delete="/v8/projects/{projectId}/env/{id}",
    imports=("projectId", "id"),
    query=(("teamId", "teamId"),),
    before_create=_project_first,
    body=_body,
    answer=_answer,
    check=_check,
    patches=(Patch(("value", "valueWoVersion", "targets", "gitBranch", "comment"), whole=True),),
    fields=(
        setting("key", required=True, replaces=True),
        setting("projectId", required=True, replaces=True, wire="-"),
        setting("sensitive", "boolean", required=True, replaces=True),
        setting("value", secret=True),
        setting("valueWo", secret=True, write_only=True, wire="-"),
        setting("valueWoVersion", "number", wire="-"),
        setting("targets", Many(), unordered=True, wire="target"),
        setting("customEnvironmentIds", Many(), unordered=True, replaces=True),
        setting("gitBranch"),
        setting("comment"),
        setting("teamId", computed=True, wire="-"),
    ),
)
