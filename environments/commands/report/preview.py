"""What `pulumi preview --json` says, as far as a reviewer may see it: a whitelist of fields, all others stay unread.

Seen in version 3.259: the steps hold what changes and the stack itself, not what stays the same; what is logged is a
diagnostic each, the plugin's with its resource's URN; a refused check is one of severity `error`, and at times another
one follows that says only that the preview failed; the exit code is then not 0, yet the JSON is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from environments.errors import RefusedError

_STACK = "pulumi:pulumi:Stack"
_ENDPOINT = "neon:index/endpoint:Endpoint"
_PROPERTY = re.compile(r"[A-Za-z0-9_.\[\]]{1,80}")
_OPERATION = re.compile(r"[a-z-]{1,40}")
_TARGETS = ("production", "preview", "development")


class PreviewError(RefusedError):
    """What was given isn't the output of `pulumi preview --json`."""


@dataclass(frozen=True)
class Size:
    """A compute: CU from and to, and the idle seconds after which it suspends (-1: never)."""

    min_cu: float
    max_cu: float
    suspend_seconds: int


@dataclass(frozen=True)
class Step:
    """One resource and what is to happen to it; sizes are known for computes alone."""

    op: str
    type: str
    name: str
    custom: bool
    changed: tuple[str, ...] = ()
    before: Size | None = None
    after: Size | None = None


@dataclass(frozen=True)
class Source:
    """Where a branch comes from: a branch of this stack, of another one, or (no name) the default branch."""

    stack: str | None
    name: str | None


@dataclass(frozen=True)
class Preview:
    """One preview; `branches` are the settings', `existing` and `serving` what the stack's last outputs say.

    What `wanted` and `serving` name is a branch of this stack, or another stack's, as `stack/branch`. A branch that is
    adopted has no source.
    """

    stack: str
    target: str
    branches: Mapping[str, Source | None]
    wanted: str
    existing: tuple[str, ...]
    serving: str
    steps: tuple[Step, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def guests(self) -> dict[str, Source]:
        """The branches of other stacks that the pointer leads to, before and after, by their names here."""
        names = [name for name in (self.serving, self.wanted) if "/" in name and name not in self.branches]
        return {name: Source(*name.split("/", 1)) for name in names if name not in self.existing}

    @property
    def changes(self) -> list[Step]:
        """The resources proper that don't stay as they are."""
        return [step for step in self.steps if step.custom and step.op not in ("same", "read", "refresh")]


def read_preview(text: str, stack: str | None = None) -> Preview:
    """Return what the output of `pulumi preview --json` says; `stack` is needed only where it names none.

    Raises PreviewError if that is no such output.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        was = "is empty" if not text.strip() else f"is no JSON ({error.msg}, line {error.lineno})"
        raise PreviewError(f"the input {was}: give it what `pulumi preview --json` prints, errors included") from None
    if not isinstance(found, dict) or not ({"steps", "changeSummary", "diagnostics"} & found.keys()):
        raise PreviewError("the input is JSON, but not that of `pulumi preview --json`: it names no steps")
    steps = [step for step in _dicts(found.get("steps")) if _text(step.get("urn")).count("::") >= 3]
    outputs, project, own = _stack(steps)
    config = _settings(_dict(found.get("config")), project)
    diagnostics = _dicts(found.get("diagnostics"))
    return Preview(
        stack=stack or own or "unknown",
        target=next((target for target in _TARGETS if target == config.get("target")), ""),
        branches=_branches(config.get("branches"), own),
        wanted=_wanted(config.get("serve"), own),
        existing=tuple(_dict(outputs.get("branches"))),
        serving=_text(_dict(outputs.get("served")).get("branch")),
        steps=tuple(_step(step) for step in steps),
        errors=_said(diagnostics, "error"),
        warnings=_said(diagnostics, "warning"),
    )


def _stack(steps: list[dict[str, Any]]) -> tuple[dict[str, Any], str, str]:
    """Return the stack's last outputs, its project's name and its own."""
    for step in steps:
        start, project, kind = step["urn"].split("::")[:3]
        stack = start.removeprefix("urn:pulumi:")
        if kind == _STACK and step.get("op") != "refresh":
            return _dict(_dict(step.get("oldState")).get("outputs")), project, stack
    return {}, "environments", ""


def _step(step: dict[str, Any]) -> Step:
    kind, name = step["urn"].split("::", 2)[2].split("::", 1)
    kind = kind.rsplit("$", 1)[-1]
    op = _text(step.get("op"))
    sizes = kind == _ENDPOINT
    return Step(
        op=op if _OPERATION.fullmatch(op) else "unknown",
        type=kind,
        name=name,
        custom="provider" in step,
        changed=tuple(sorted(each for each in _list(step.get("diffReasons")) if _PROPERTY.fullmatch(_text(each)))),
        before=_size(step.get("oldState")) if sizes else None,
        after=_size(step.get("newState")) if sizes else None,
    )


def _size(state: Any) -> Size | None:
    inputs = _dict(_dict(state).get("inputs"))
    least, most, idle = (
        inputs.get(key) for key in ("autoscalingLimitMinCu", "autoscalingLimitMaxCu", "suspendTimeoutSeconds")
    )
    if isinstance(least, int | float) and isinstance(most, int | float) and isinstance(idle, int | float):
        return Size(least, most, int(idle))
    return None


def _settings(config: dict[str, Any], project: str) -> dict[str, Any]:
    """Return the three settings that the lineage needs; one that is secret arrives as `[secret]` and stays unknown."""
    return {key: _parsed(config.get(f"{project}:{key}")) for key in ("branches", "serve", "target")}


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return None
    return value


def _branches(setting: Any, own: str) -> dict[str, Source | None]:
    return {
        name: None if _dict(branch).get("adopt") else _source(_dict(branch).get("from"), own)
        for name, branch in _dict(setting).items()
    }


def _source(source: Any, own: str) -> Source:
    stack = _text(_dict(source).get("stack"))
    return Source(stack if stack not in ("", own) else None, _text(_dict(source).get("branch")) or None)


def _wanted(serve: Any, own: str) -> str:
    """Return the branch that the settings serve, by its name here; empty where that can't be read."""
    if isinstance(serve, str):
        return "" if serve == "[secret]" else serve
    source = _source(serve, own)
    return f"{source.stack}/{source.name}" if source.stack and source.name else source.name or ""


def _said(diagnostics: list[dict[str, Any]], severity: str) -> tuple[str, ...]:
    """Return the texts of one severity, which the engine puts before each of them."""
    found = [_text(each.get("message")) for each in diagnostics if each.get("severity") == severity]
    return tuple(text.strip().removeprefix(f"{severity}: ").strip() for text in found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]
