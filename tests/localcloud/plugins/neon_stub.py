"""Just enough of Neon's API, in memory, for the plugin to talk to."""

import itertools
from typing import Any

from tests.localcloud.plugins.recorder import Answer, Request

Json = dict[str, Any]
PASSWORD = "sekret-of-neon"


class NeonStub:
    """Objects by kind and id."""

    def __init__(self) -> None:
        self.projects: dict[str, Json] = {}
        self.branches: dict[str, Json] = {}
        self.endpoints: dict[str, Json] = {}
        self.roles: dict[tuple[str, str], Json] = {}
        self.databases: dict[tuple[str, str], Json] = {}
        self.operation_statuses: dict[str, list[str]] = {}
        self.new_operations: list[str] = []  # the statuses of an operation that the next writes start
        self._numbers = itertools.count(1)

    def __call__(self, request: Request) -> Answer:  # noqa: C901, PLR0911  a case per route
        if request.token != "neon-key":
            return 401, {"code": "", "message": "this request needs a key"}
        match request.method, request.path.split("/")[3:]:  # after /api/v2
            case "POST", ["projects"]:
                return 201, self._make_project(request.body["project"])
            case method, ["projects", project]:
                return self._one(self.projects, project, "project", method, request.body)
            case "GET", ["projects", _, "branches"]:
                return 200, {"branches": list(self.branches.values())}
            case "POST", ["projects", project, "branches"]:
                branch = self._branch(project, request.body["branch"])
                return 201, {"branch": branch, "operations": self._operations(project), "endpoints": []}
            case method, ["projects", _, "branches", branch]:
                return self._one(self.branches, branch, "branch", method, request.body)
            case "GET", ["projects", _, "branches", branch, "endpoints"]:
                found = [endpoint for endpoint in self.endpoints.values() if endpoint["branch_id"] == branch]
                return 200, {"endpoints": found}
            case "POST", ["projects", project, "endpoints"]:
                return 201, {"endpoint": self._endpoint(project, request.body["endpoint"]), "operations": []}
            case method, ["projects", _, "endpoints", endpoint]:
                return self._one(self.endpoints, endpoint, "endpoint", method, request.body)
            case "GET", ["projects", _, "operations", operation]:
                statuses = self.operation_statuses[operation]
                status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                return 200, {"operation": {"id": operation, "status": status}}
            case method, ["projects", project, "branches", branch, kind, *rest]:
                return self._inside(method, project, branch, kind, rest, request.body)
        return 404, {"message": f"no route {request}"}

    def _inside(self, method: str, project: str, branch: str, kind: str, rest: list[str], body: Any) -> Answer:  # noqa: PLR0911, PLR0917  a case per route
        table = self.roles if kind == "roles" else self.databases
        name = kind.removesuffix("s")
        match method, rest:
            case "GET", []:
                return 200, {kind: [each for (owner, _), each in table.items() if owner == branch]}
            case "POST", []:
                made = {"branch_id": branch, "protected": False, **body[name]}
                if kind == "roles":
                    made["password"] = PASSWORD
                table[branch, made["name"]] = made
                return 201, {name: made, "operations": self._operations(project)}
            case "GET", [role, "reveal_password"]:
                return (200, {"password": PASSWORD}) if (branch, role) in self.roles else (404, {"message": "no role"})
            case _, [one] if (branch, one) not in table:
                return 404, {"message": f"{name} not found"}
            case "GET", [one]:
                shown = {key: value for key, value in table[branch, one].items() if key != "password"}
                return 200, {name: shown}
            case "PATCH", [one]:
                changed = {**table.pop((branch, one)), **body[name]}
                table[branch, changed["name"]] = changed
                return 200, {name: changed, "operations": []}
            case "DELETE", [one]:
                return 200, {name: table.pop((branch, one)), "operations": []}
        return 404, {"message": "no route"}

    def _make_project(self, body: Json) -> Json:
        project = f"proj-{next(self._numbers)}"
        asked = body.pop("branch", {})
        made: Json = {
            "id": project,
            "region_id": "local",
            "pg_version": 18,
            "provisioner": "k8s-neonvm",
            "org_id": "org-1",
        }
        made |= {"history_retention_seconds": 86400, "store_passwords": True, "settings": {}} | body
        self.projects[project] = made
        branch = self._branch(project, {"name": asked.get("name", "main")}, default=True)
        endpoint = self._endpoint(project, {"branch_id": branch["id"], "type": "read_write"})
        owner = asked.get("role_name", "owner")
        self.roles[branch["id"], owner] = {"name": owner, "protected": False, "password": PASSWORD}
        database = {
            "name": asked.get("database_name", "app"),
            "owner_name": owner,
            "created_at": "2026-01-01T00:00:00Z",
        }
        self.databases[branch["id"], database["name"]] = database
        return {"project": made, "branch": branch, "endpoints": [endpoint], "databases": [database]} | {
            "roles": [],
            "operations": self._operations(project),
        }

    def _branch(self, project: str, body: Json, *, default: bool = False) -> Json:
        own = f"br-{next(self._numbers)}"
        first = next((each["id"] for each in self.branches.values() if each["default"]), None)
        made: Json = {"id": own, "project_id": project, "default": default, "protected": False, "logical_size": 4096}
        made |= {"parent_id": first, "parent_lsn": "0/10", "parent_timestamp": "2026-01-01T00:00:00Z"} if first else {}
        made |= body
        self.branches[own] = made
        return made

    def _endpoint(self, project: str, body: Json) -> Json:
        own = f"ep-{next(self._numbers)}"
        made: Json = {"id": own, "project_id": project, "host": f"{own}.local.test", "proxy_host": "local.test"}
        made |= {"region_id": "local", "autoscaling_limit_min_cu": 0.25, "autoscaling_limit_max_cu": 2}
        made |= {"provisioner": "k8s-neonvm", "pooler_mode": "transaction", "settings": {"pg_settings": {}}}
        made |= {"disabled": False, "pooler_enabled": False, "suspend_timeout_seconds": 0} | body
        self.endpoints[own] = made
        return made

    def _one(self, table: dict[str, Json], own: str, name: str, method: str, body: Any) -> Answer:
        if own not in table:
            return 404, {"message": f"{name} not found"}
        if method == "GET":
            return 200, {name: table[own]}
        if method == "PATCH":
            table[own].update(body[name])
            return 200, {name: table[own], "operations": self._operations(table[own].get("project_id", own))}
        return 200, {name: table.pop(own), "operations": []}

    def _operations(self, project: str) -> list[Json]:
        if not self.new_operations:
            return []
        own = f"op-{next(self._numbers)}"
        self.operation_statuses[own] = self.new_operations[1:] or self.new_operations[:]
        first, self.new_operations = self.new_operations[0], []
        return [{"id": own, "project_id": project, "status": first}]
