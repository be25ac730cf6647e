"""Neon's read-only calls. All but `getProject` answer empty when the request fails: that is what the originals do."""

from typing import Any
from urllib.parse import quote

from localcloud.plugins.api import Api, ApiError
from localcloud.plugins.neon.project import PROJECT
from localcloud.plugins.table import Block, Field, Function, Json, Many


def _swallow(api: Api, path: str, key: str, empty: Any) -> Any:
    try:
        return api.call("GET", path).get(key, empty)
    except ApiError:
        return empty


def _branches_path(arguments: Json) -> str:
    return f"/projects/{arguments['projectId']}/branches"


def _get_project(api: Api, arguments: Json) -> Json:
    project = api.call("GET", f"/projects/{arguments['id']}")["project"]
    assert PROJECT.after_read
    found = PROJECT.after_read(api, {}, project)
    return {field.name: found[field.name] for field in _CONNECTION} | {"id": project["id"], "name": project["name"]}


def _get_branches(api: Api, arguments: Json) -> Json:
    branches = _swallow(api, _branches_path(arguments), "branches", [])
    return {
        "branches": [
            {
                "id": branch["id"],
                "name": branch["name"],
                "parentId": branch.get("parent_id", ""),
                "logicalSize": branch.get("logical_size", 0),
                "primary": bool(branch.get("default")),
            }
            for branch in branches
        ],
        "id": arguments["projectId"],
    }


def _get_endpoints(api: Api, arguments: Json) -> Json:
    path = f"{_branches_path(arguments)}/{arguments['branchId']}/endpoints"
    endpoints = _swallow(api, path, "endpoints", [])
    return {
        "endpoints": [
            {
                "id": endpoint["id"],
                "host": endpoint["host"],
                "type": endpoint["type"],
                "regionId": endpoint.get("region_id", ""),
                "proxyHost": endpoint.get("proxy_host", ""),
            }
            for endpoint in endpoints
        ],
        "id": arguments["branchId"],
    }


def _get_roles(api: Api, arguments: Json) -> Json:
    path = f"{_branches_path(arguments)}/{arguments['branchId']}/roles"
    roles = _swallow(api, path, "roles", [])
    return {
        "roles": [{"name": role["name"], "protected": bool(role.get("protected"))} for role in roles],
        "id": arguments["branchId"],
    }


def _get_password(api: Api, arguments: Json) -> Json:
    of = f"{_branches_path(arguments)}/{arguments['branchId']}/roles/{quote(arguments['roleName'])}"
    return {"password": _swallow(api, f"{of}/reveal_password", "password", ""), "id": arguments["roleName"]}


_CONNECTION = tuple(field for field in PROJECT.fields if field.output)
_PROJECT_ID = Field(name="projectId", required=True)
_BRANCH_ID = Field(name="branchId", required=True)

FUNCTIONS = (
    Function(
        name="getProject",
        doc="How to connect to a project's default branch.",
        inputs=(Field(name="id", required=True),),
        outputs=(Field(name="name"), *_CONNECTION),
        run=_get_project,
    ),
    Function(
        name="getBranches",
        doc="The branches of a project; none when the request fails.",
        inputs=(_PROJECT_ID,),
        outputs=(
            Field(
                name="branches",
                kind=Many(
                    Block(
                        "getBranchesBranch",
                        (
                            Field(name="id", required=True),
                            Field(name="name", required=True),
                            Field(name="parentId", required=True),
                            Field(name="logicalSize", kind="number", required=True),
                            Field(name="primary", kind="boolean", required=True),
                        ),
                    )
                ),
            ),
            _PROJECT_ID,
        ),
        run=_get_branches,
    ),
    Function(
        name="getBranchEndpoints",
        doc="The endpoints of a branch; none when the request fails.",
        inputs=(_PROJECT_ID, _BRANCH_ID),
        outputs=(
            Field(
                name="endpoints",
                kind=Many(
                    Block(
                        "getBranchEndpointsEndpoint",
                        tuple(
                            Field(name=name, required=True) for name in ("id", "host", "type", "regionId", "proxyHost")
                        ),
                    )
                ),
            ),
            _PROJECT_ID,
            _BRANCH_ID,
        ),
        run=_get_endpoints,
    ),
    Function(
        name="getBranchRoles",
        doc="The roles of a branch; none when the request fails.",
        inputs=(_PROJECT_ID, _BRANCH_ID),
        outputs=(
            Field(
                name="roles",
                kind=Many(
                    Block(
                        "getBranchRolesRole",
                        (Field(name="name", required=True), Field(name="protected", kind="boolean", required=True)),
                    )
                ),
            ),
            _PROJECT_ID,
            _BRANCH_ID,
        ),
        run=_get_roles,
    ),
    Function(
        name="getBranchRolePassword",
        doc="A role's password; empty when the request fails.",
        inputs=(_PROJECT_ID, _BRANCH_ID, Field(name="roleName", required=True)),
        outputs=(Field(name="password"), _PROJECT_ID, _BRANCH_ID, Field(name="roleName", required=True)),
        run=_get_password,
    ),
)
