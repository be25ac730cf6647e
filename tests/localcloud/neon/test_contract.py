"""The answers have the shapes of Neon's own OpenAPI document, which its npm package carries."""

import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import jsonschema
import pytest
import yaml

from tests.localcloud.neon.hosting import Host, Json, Project

_PACKAGE = "@neondatabase/api-client@2.7.3"
_DOCUMENT = "node_modules/@neondatabase/api-client/public-v2-for-users.gen.yaml"

pytestmark = pytest.mark.slow


class Contract:
    """Neon's document, and a judgement of each answer by it."""

    def __init__(self, document: Json) -> None:
        self._components = document["components"]
        # A path of fixed words goes before one that takes anything in their place.
        paths = sorted(document["paths"].items(), key=lambda item: str(item[0]).count("{"))
        self._paths = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), methods) for path, methods in paths]

    def call(self, host: Host, method: str, path: str, body: Json | None = None) -> Json:
        """Call, and fail if the answer isn't what the document promises."""
        answer = host.api.request(method, path, json=body)
        operation = self._operation(method, path.partition("?")[0])
        responses = operation["responses"]
        promised = responses.get(str(answer.status_code), responses.get(answer.status_code, responses["default"]))
        shown: Json = answer.json() if answer.content else {}
        if "$ref" in promised:
            promised = self._components["responses"][promised["$ref"].rpartition("/")[2]]
        if "content" in promised:
            schema = promised["content"]["application/json"]["schema"]
            whole = {**_without_nullable(schema), "components": _without_nullable(self._components)}
            jsonschema.Draft7Validator({"allOf": [whole], "components": whole["components"]}).validate(shown)
        for name, value in _leaves(shown):
            if name.endswith(("_at", "_timestamp", "_active")) and isinstance(value, str):
                assert datetime.fromisoformat(value).tzinfo is not None, (name, value)
        return shown

    def _operation(self, method: str, path: str) -> Json:
        found = [methods for pattern, methods in self._paths if pattern.fullmatch(path) and method.lower() in methods]
        assert found, f"{method} {path} isn't in the document"
        return dict(found[0][method.lower()])


def _without_nullable(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema."""
    if isinstance(schema, list):
        return [_without_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {name: _without_nullable(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [converted, {"type": "null"}]} if schema.get("nullable") is True else converted


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    else:
        yield name, value


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    folder = tmp_path_factory.mktemp("contract")
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run(["npm", "install", *options, "--prefix", str(folder), _PACKAGE], check=True, cwd=folder)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Contract(yaml.load((folder / _DOCUMENT).read_text(), loader))  # noqa: S506 - a safe one, in C where it can be


def test_a_branchs_whole_life_answers_in_neons_shapes(contract: Contract, host: Host, project: Project) -> None:
    path = project.path
    for read in (
        "/projects",
        path,
        f"{path}/branches",
        f"{path}/branches/count",
        f"{path}/endpoints",
        f"{path}/operations",
        f"{path}/branches/{project.root}/roles",
        f"{path}/branches/{project.root}/databases",
        f"{path}/branches/{project.root}/endpoints",
        f"{path}/branches/{project.root}/roles/neondb_owner/reveal_password",
        f"{path}/branches/{project.root}/schema?db_name=neondb",
        f"{path}/connection_uri?role_name=neondb_owner&database_name=neondb",
    ):
        assert contract.call(host, "GET", read), read
    moment = project.moment()
    body: Json = {"branch": {"name": "past", "parent_timestamp": moment}, "endpoints": [{"type": "read_write"}]}
    branch = contract.call(host, "POST", f"{path}/branches", body)["branch"]["id"]
    body = {"branch": {"name": "shape", "init_source": "schema-only", "expires_at": "2999-01-01T00:00:00Z"}}
    assert "more than 30 days" in contract.call(host, "POST", f"{path}/branches", body)["message"]
    del body["branch"]["expires_at"]
    shape = contract.call(host, "POST", f"{path}/branches", body)["branch"]["id"]
    body = {"source_branch_id": branch, "source_timestamp": project.moment(branch), "preserve_under_name": "kept"}
    assert contract.call(host, "POST", f"{path}/branches/{branch}/restore", body)["branch"]["last_reset_at"]
    assert contract.call(host, "PATCH", f"{path}/branches/{branch}", {"branch": {"name": "renamed"}})["branch"]
    assert contract.call(host, "POST", f"{path}/branches/{branch}/set_as_default")["branch"]["default"]
    assert contract.call(host, "GET", f"{path}/branches/{branch}")["branch"]["name"] == "renamed"
    assert contract.call(host, "POST", f"{path}/branches/{branch}/roles", {"role": {"name": "app"}})["role"]
    assert contract.call(host, "POST", f"{path}/branches/{branch}/roles/app/reset_password")["role"]["password"]
    assert contract.call(host, "DELETE", f"{path}/branches/{shape}")["operations"]


def test_a_refusal_has_neons_shape(contract: Contract, host: Host, project: Project) -> None:
    body = {"branch": {"parent_lsn": "0/1"}}
    assert "precedes" in contract.call(host, "POST", f"{project.path}/branches", body)["message"]
