"""Values of every type that our own resources have, for answers of resources that nobody makes."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from environments.props import Unknown, encode, fields_of


def example(model: type[Any]) -> dict[str, Any]:
    """Return a value of the dataclass `model` as the engine has it."""
    encoded: dict[str, Any] = encode(_instance(model))
    return encoded


def _instance(model: type[Any]) -> Any:
    return model(**{field.name: _value(field.type, field.name) for field in fields_of(model)})


def _value(hint: Any, name: str) -> Any:  # noqa: PLR0911 - one return a kind
    while typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(next(each for each in arguments if each not in (Unknown, type(None))), name)
    if isinstance(hint, typing.NewType):
        return _value(hint.__supertype__, hint.__name__)
    if dataclasses.is_dataclass(hint):
        return _instance(typing.cast("type[Any]", hint))
    if origin is Literal:
        return arguments[0]
    if origin is tuple:
        return tuple(_value(each, name) for each in arguments if each is not Ellipsis)
    if origin is not None and issubclass(origin, Mapping):
        return {"key": _value(arguments[1], name)}
    return {str: f"a-{name}", int: 1, float: 1.0, bool: True}[hint]
