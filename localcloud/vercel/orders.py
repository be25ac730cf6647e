"""Reads what a client asks to be deployed, and refuses what can't be."""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from localcloud.vercel.blobs import Blobs
from localcloud.vercel.errors import BadRequestError
from localcloud.vercel.models import DeployedFile

_SETTINGS = ("buildCommand", "installCommand", "outputDirectory", "rootDirectory")
_NO_GIT = "the local cloud reaches no git provider: deploy files, or redeploy with deploymentId"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a client asks to be deployed."""

    name: str
    target: str | None
    files: list[DeployedFile]
    env: dict[str, str] = field(default_factory=dict, repr=False)
    build_env: dict[str, str] = field(default_factory=dict, repr=False)
    meta: dict[str, str] = field(default_factory=dict)
    git_branch: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    source: str = "cli"
    origin: str | None = None
    promote_when_ready: bool = False
    skip_domains: bool = False

    @classmethod
    def read(cls, body: dict[str, Any], name: str, blobs: Blobs) -> "Order":
        """The order in the body of `POST /v13/deployments`, with files."""
        if body.get("gitSource"):
            raise BadRequestError(_NO_GIT, code="git_source_unsupported")
        return cls(
            name=name, files=read_files(body.get("files"), blobs), **read_changes(body) | {"target": read_target(body)}
        )


def read_changes(body: dict[str, Any]) -> dict[str, Any]:
    """What a redeploy may say of its own: everything but the files. Absent fields stay as the origin had them."""
    changes: dict[str, Any] = {
        "env": _strings(body.get("env"), "env"),
        "build_env": _strings((body.get("build") or {}).get("env"), "build.env"),
    }
    if "target" in body:
        changes["target"] = read_target(body)
    if body.get("autoAssignCustomDomains") is False:  # what `vercel deploy --prod --skip-domain` sends
        changes["skip_domains"] = True
    if body.get("meta"):
        changes["meta"] = {key: str(value) for key, value in body["meta"].items()}
    if body.get("projectSettings"):
        changes["settings"] = build_settings(body["projectSettings"])
    if branch := (body.get("gitMetadata") or {}).get("commitRef"):
        changes["git_branch"] = branch
    return changes


def read_target(body: dict[str, Any]) -> str | None:
    """`production`, or None for a preview."""
    target = body.get("target")
    if target in (None, "preview", "staging"):
        return None
    if target == "production":
        return "production"
    message = f"target is {target!r}: the local cloud knows production and, without a target, preview"
    raise BadRequestError(message)


def build_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Those of a project's settings that a build reads, if they are set."""
    chosen = {key: settings[key] for key in _SETTINGS if settings.get(key) is not None}
    for key in ("rootDirectory", "outputDirectory"):
        if key in chosen:
            chosen[key] = _inside(chosen[key], key)
    return chosen


def read_files(entries: object, blobs: Blobs) -> list[DeployedFile]:
    """The files of a request: by sha1, or inlined, in which case their content is kept now."""
    if not isinstance(entries, list) or not entries:
        message = "files must be a list with at least one file, or deploymentId must name a deployment"
        raise BadRequestError(message)
    return [_read_file(entry, blobs) for entry in entries]


def _read_file(entry: Any, blobs: Blobs) -> DeployedFile:
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        message = "every entry of files needs the path `file`"
        raise BadRequestError(message)
    path = _inside(entry["file"], "file")
    mode = int(entry.get("mode") or 0o644)
    if "data" not in entry:
        return DeployedFile(
            path=path, sha=str(entry.get("sha", "")).lower(), size=int(entry.get("size") or 0), mode=mode
        )
    try:
        content = base64.b64decode(entry["data"]) if entry.get("encoding") == "base64" else str(entry["data"]).encode()
    except binascii.Error as error:
        message = f"the data of {path} is not base64"
        raise BadRequestError(message) from error
    return DeployedFile(path=path, sha=blobs.add(content), size=len(content), mode=mode)


def _inside(path: object, name: str) -> str:
    pure = PurePosixPath(str(path))
    if pure.is_absolute() or ".." in pure.parts or "\0" in str(path):
        message = f"{name} {path!r} must lie inside the deployment"
        raise BadRequestError(message)
    return str(pure)


def _strings(values: object, name: str) -> dict[str, str]:
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        message = f"{name} must map names to strings"
        raise BadRequestError(message)
    return dict(values)
