"""Pulumi's property values in plain Python, and the API's objects in Pulumi's terms."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

from localcloud.plugins.table import Block, Field, Json, Many

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def from_struct(struct: Struct) -> tuple[Json, frozenset[str]]:
    """The values without their secret wrappers, and the names of the top-level properties that had one."""
    values: Json = {}
    secrets: set[str] = set()
    for name, value in struct.fields.items():
        values[name], secret = _plain(value)
        if secret:
            secrets.add(name)
    return values, frozenset(secrets)


def _plain(value: Value) -> tuple[Any, bool]:  # noqa: PLR0911  one per kind
    match value.WhichOneof("kind"):
        case "struct_value":
            fields = value.struct_value.fields
            if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET:
                return _plain(fields["value"])[0], True
            pairs = {name: _plain(each) for name, each in fields.items()}
            return {name: pair[0] for name, pair in pairs.items()}, any(pair[1] for pair in pairs.values())
        case "list_value":
            items = [_plain(each) for each in value.list_value.values]
            return [item[0] for item in items], any(item[1] for item in items)
        case "string_value":
            return value.string_value, False
        case "number_value":
            return value.number_value, False
        case "bool_value":
            return value.bool_value, False
        case _:
            return None, False


def to_struct(values: Json, secrets: Iterable[str] = ()) -> Struct:
    """The values, those of these names wrapped as secrets."""
    hidden = frozenset(secrets)
    struct = Struct()
    struct.update(
        {
            name: {SIGNATURE: SECRET, "value": value} if name in hidden and value != UNKNOWN else value
            for name, value in values.items()
            if value is not None
        }
    )
    return struct


def has_unknown(value: Any) -> bool:
    """Whether a preview does not know all of it yet."""
    if isinstance(value, dict):
        return any(has_unknown(each) for each in value.values())
    if isinstance(value, list):
        return any(has_unknown(each) for each in value)
    return bool(value == UNKNOWN)


def empty(value: Any) -> bool:
    """Whether it says nothing: an empty value and none are the same to these providers."""
    return value is None or value in ("", [], {})


def encode(fields: Iterable[Field], properties: Json) -> Json:
    """The API's object for these properties; what was left out stays out."""
    body: Json = {}
    for field in fields:
        value = properties.get(field.name)
        if field.output or field.path == "-" or value is None:
            continue
        *outer, last = field.path.split(".")
        place = body
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = _encode(field, value)
    return body


def _encode(field: Field, value: Any) -> Any:
    if field.codec == "flag":
        return value == "yes"
    if field.codec == "unix":
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    match field.kind:
        case Block(fields=fields):
            return encode(fields, value)
        case Many(of=Block(fields=fields), keyed=False):
            return [encode(fields, each) for each in value]
        case Many(keyed=False):
            return [_whole(each) for each in value]
    return _whole(value)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def decode(fields: Iterable[Field], answer: Json) -> Json:
    """The properties that the API's object holds; an absent or null one is left out."""
    properties: Json = {}
    for field in fields:
        value: Any = answer
        if field.path == "-":
            continue
        for name in field.path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            properties[field.name] = _decode(field, value)
    return properties


def _decode(field: Field, value: Any) -> Any:
    if field.codec == "flag":
        return "yes" if value in (True, "yes") else "no"
    if field.codec == "unix":
        return float(int(datetime.fromisoformat(value).timestamp())) if isinstance(value, str) else float(value)
    match field.kind:
        case Block(fields=fields):
            return decode(fields, value)
        case Many(of=Block(fields=fields), keyed=False):
            return [decode(fields, each) for each in value]
        case "number":
            return float(value)
    return value
