"""A stand-in for Neon's API: branches, operations and projects as plain values, two operations to a page."""

from __future__ import annotations

import re
from typing import Any

from tests.localcloud.plugins.recorder import Answer, Request

MADE_AT = "2026-01-01T12:00:00Z"


def made(operation: str, branch: str) -> dict[str, Any]:
    """An operation that made a branch."""
    return {"id": operation, "action": "create_branch", "branch_id": branch}


class StandIn:
    """Answers for one project `p`, whose branches have no compute."""

    def __init__(self) -> None:
        self.branches: dict[str, dict[str, Any]] = {}
        self.operations: list[dict[str, Any]] = []
        self.projects: list[dict[str, Any]] = [project("p")]
        self.changes: list[tuple[str, Any]] = []
        self.refuses = ""
        """A pattern of paths that are answered with 500."""

    def __call__(self, request: Request) -> Answer:
        """Answer as Neon does."""
        if self.refuses and re.search(self.refuses, request.path):
            return 500, {"message": "made to fail", "code": ""}
        if request.method != "GET":
            self.changes.append((f"{request.method} {request.path}", request.body))
            return 200, {"branch": {"id": "br-2", **self._branch("br-2")}}
        if one := re.search(r"/branches/([^/]+)$", request.path):
            found = {"branch": {"id": one[1], **self._branch(one[1])}} if one[1] in self.branches else None
            return (200, found) if found else (404, {"message": "branch not found", "code": ""})
        return 200, self._asked(request.path.rpartition("/")[2], request.query)

    def _asked(self, what: str, query: str) -> dict[str, Any]:
        match what:
            case "endpoints":
                return {"endpoints": []}
            case "branches":
                return {"branches": [{"id": id_, **self._branch(id_)} for id_ in self.branches]}
            case "operations":
                return self._operations(query)
            case "projects":
                return {"projects": self.projects}
            case _:
                return {"project": self.projects[0]}

    def _branch(self, id_: str) -> dict[str, Any]:
        return {"created_at": MADE_AT, **self.branches[id_]}

    def _operations(self, query: str) -> dict[str, Any]:
        newest = self.operations[::-1]
        cursor = query.partition("cursor=")[2]
        start = next((place for place, found in enumerate(newest, 1) if found["id"] == cursor), 0)
        page = newest[start : start + 2]
        return {"operations": page, **({"pagination": {"cursor": page[-1]["id"]}} if page else {})}


def project(id_: str, created_at: str = MADE_AT) -> dict[str, Any]:
    """A project called shop."""
    return {"id": id_, "name": "shop", "created_at": created_at, "pg_version": 17}
