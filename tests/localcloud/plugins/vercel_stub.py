"""Just enough of Vercel's API, in memory, for the plugin to talk to."""

import itertools
from typing import Any

from tests.localcloud.plugins.recorder import Answer, Request

Json = dict[str, Any]


class VercelStub:
    """Projects, and their variables by id."""

    def __init__(self) -> None:
        self.projects: dict[str, Json] = {}
        self.variables: dict[str, Json] = {}
        self._numbers = itertools.count(1)

    def __call__(self, request: Request) -> Answer:  # noqa: C901, PLR0911  a case per route
        if request.token != "vercel-token":
            return 403, {"error": {"code": "forbidden", "message": "not authorized"}}
        match request.method, request.path.split("/")[2:]:  # after /vN
            case "POST", ["projects"]:
                own = f"prj_{next(self._numbers)}"
                made = {"id": own, "nodeVersion": "22.x", "autoAssignCustomDomains": True, **request.body}
                self.projects[own] = made
                return 200, made
            case "GET", ["projects", name]:
                found = [each for each in self.projects.values() if name in (each["id"], each["name"])]
                return (200, found[0]) if found else self._missing()
            case "PATCH", ["projects", own]:
                self.projects[own].update(request.body)
                return 200, self.projects[own]
            case "DELETE", ["projects", own]:
                return (204, None) if self.projects.pop(own, None) else self._missing()
            case "GET", ["projects", _, "env"]:
                return 200, {"envs": [self._shown(each) for each in self.variables.values()]}
            case "POST", ["projects", _, "env"]:
                return self._create(request.body)
            case "GET", ["projects", _, "env", own]:
                return (200, self._shown(self.variables[own])) if own in self.variables else self._missing()
            case "PATCH", ["projects", _, "env", own]:
                self.variables[own].update(request.body)
                return 200, self._shown(self.variables[own])
            case "DELETE", ["projects", _, "env", own]:
                return (200, {}) if self.variables.pop(own, None) else self._missing()
        return 404, {"error": {"code": "not_found", "message": f"no route {request}"}}

    def _create(self, body: Json) -> Answer:
        for other in self.variables.values():
            same = (other["key"], other.get("gitBranch")) == (body["key"], body.get("gitBranch"))
            if same and set(other["target"]) & set(body["target"]):
                message = f"A variable with the name `{body['key']}` already exists"
                return 400, {"error": {"code": "ENV_CONFLICT", "message": message}}
        own = f"env{next(self._numbers)}"
        self.variables[own] = {"id": own, **body}
        return 201, {"created": self._shown(self.variables[own]), "failed": []}

    def _shown(self, variable: Json) -> Json:
        hidden = ("value",) if variable["type"] == "sensitive" else ()
        return {key: value for key, value in variable.items() if key not in hidden}

    def _missing(self) -> Answer:
        return 404, {"error": {"code": "not_found", "message": "not found"}}
