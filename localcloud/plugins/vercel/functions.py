"""Vercel's read-only calls: a project by name, and local files by the hash that an upload names them by."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.plugins.table import Field, Function, Json, Many
from localcloud.plugins.values import decode
from localcloud.plugins.vercel.project import PROJECT, setting

if TYPE_CHECKING:
    from localcloud.plugins.api import Api

_IGNORED = {
    ".git",
    ".hg",
    ".svn",
    ".next",
    ".vercel",
    ".venv",
    "node_modules",
    "venv",
    "CVS",
    "__pycache__",
    ".DS_Store",
}


def _get_project(api: "Api", arguments: Json) -> Json:
    query = {"teamId": arguments["teamId"]} if arguments.get("teamId") else None
    answer = api.call("GET", f"/v10/projects/{quote(arguments['name'], safe='')}", None, query)
    assert PROJECT.answer
    return {**decode(PROJECT.fields, PROJECT.answer(answer)), "id": answer["id"]}


def _get_file(_api: "Api", arguments: Json) -> Json:
    path = arguments["path"]
    return {"file": {path: _fingerprint(Path(path))}, "id": path}


def _get_directory(_api: "Api", arguments: Json) -> Json:
    path = arguments["path"]
    if not Path(path).is_dir():
        raise LookupError(f"{path} is no directory")
    files: Json = {}
    for directory, below, names in os.walk(path):
        below[:] = sorted(name for name in below if name not in _IGNORED)
        for name in sorted(set(names) - _IGNORED):
            file = Path(directory, name)
            files[str(file)] = _fingerprint(file)
    return {"files": files, "id": path}


def _fingerprint(file: Path) -> str:
    content = file.read_bytes()
    return f"{len(content)}~{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"


_PATH = (Field(name="path", required=True),)

FUNCTIONS = (
    Function(
        name="getProject",
        doc="A project by its name.",
        inputs=(Field(name="name", required=True), Field(name="teamId")),
        outputs=tuple(field for field in PROJECT.fields if field.name != "teamId"),
        run=_get_project,
    ),
    Function(
        name="getFile",
        doc="A file's size and SHA-1.",
        inputs=_PATH,
        outputs=(setting("file", Many(keyed=True)),),
        run=_get_file,
    ),
    Function(
        name="getProjectDirectory",
        doc="The size and SHA-1 of each file below a directory.",
        inputs=_PATH,
        outputs=(setting("files", Many(keyed=True)),),
        run=_get_directory,
    ),
)
