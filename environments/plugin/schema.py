"""The schema of our resources, made from their dataclasses: what a program in another language is generated from."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from environments.plugin.registry import MODULES, resource_of
from environments.props import Unknown, fields_of, is_union, takes_none
from environments.version import VERSION

_PLAIN: Final = {str: "string", int: "integer", float: "number", bool: "boolean"}


def package_schema() -> dict[str, Any]:
    """Return the package's schema, as the engine's `GetSchema` answers it (pulumi/pkg/codegen/schema/pulumi.json)."""
    named: dict[str, type[Any]] = {}
    resources = {}
    for token in MODULES:
        resource = resource_of(token)
        inputs, outputs = _object(resource.inputs_type, named), _object(resource.outputs_type, named)
        resources[token] = {
            "description": _described(type(resource)),
            "inputProperties": inputs["properties"],
            "requiredInputs": inputs["required"],
            "properties": outputs["properties"],
            "required": outputs["required"],
        }
    settled: dict[str, dict[str, Any]] = {}
    while left := {token: model for token, model in named.items() if token not in settled}:
        settled |= {token: {"type": "object", **_object(model, named)} for token, model in left.items()}
    return {
        "name": "environments",
        "version": VERSION,
        "description": "Neon branches and Vercel deployments as environments",
        "provider": {"type": "object"},
        "types": dict(sorted(settled.items())),
        "resources": resources,
    }


def _object(model: type[Any], named: dict[str, type[Any]]) -> dict[str, Any]:
    properties, required = {}, []
    for field in fields_of(model):
        secret = {"secret": True} if field.secret else {}
        properties[field.wire] = _type(field.type, named) | secret
        if field.default is None and not takes_none(field.type):
            required.append(field.wire)
    return {"description": _described(model), "properties": properties, "required": required}


def _described(model: type[Any]) -> str:
    return " ".join((model.__doc__ or "").split())


def _type(hint: Any, named: dict[str, type[Any]]) -> dict[str, Any]:  # noqa: PLR0911 - one return a kind
    while typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_union(hint):
        return _type(next(each for each in arguments if each not in (Unknown, type(None))), named)
    if isinstance(hint, typing.NewType):
        return _type(hint.__supertype__, named)
    if dataclasses.is_dataclass(hint):
        model = typing.cast("type[Any]", hint)
        token = f"environments:{model.__module__.rpartition('.')[2]}:{model.__name__}"
        named[token] = model
        return {"$ref": f"#/types/{token}"}
    if origin is Literal:
        return {"type": "string"}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], named)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(arguments[1], named)}
    return {"type": _PLAIN[hint]}
