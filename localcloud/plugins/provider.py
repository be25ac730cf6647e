"""What a bridged provider does with any resource, driven by its table: check, diff, create, read, update, delete."""

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from localcloud.plugins.api import Api, ApiError
from localcloud.plugins.table import Block, Field, Json, Patch, Resource
from localcloud.plugins.values import UNKNOWN, decode, empty, encode, has_unknown


@dataclass(frozen=True)
class Change:
    """One property that differs."""

    path: str
    kind: str  # "ADD", "DELETE" or "UPDATE"
    replaces: bool


@dataclass(frozen=True)
class Plan:
    """What the engine compares: the state, the inputs it came from, the inputs now."""

    state: Json
    old_inputs: Json
    inputs: Json
    ignored: frozenset[str]


@dataclass(frozen=True)
class State:
    """A resource as its API shows it."""

    id: str
    properties: Json


def check(resource: Resource, name: str, old: Json, new: Json, seed: bytes) -> tuple[Json, list[tuple[str, str]]]:
    """The inputs, named where they have to be, and (property, reason) for each that is wrong."""
    inputs = dict(new)
    failures = [
        (key, f"{resource.title} has no input {key!r} in this stand-in: it knows {_known(resource)}")
        for key in new
        if (found := resource.field(key)) is None or found.output
    ]
    failures += [
        (field.name, f"{resource.title} needs {field.name}")
        for field in resource.fields
        if field.required and new.get(field.name) is None
    ]
    if resource.autoname and inputs.get("name") is None:
        inputs["name"] = old.get("name") or f"{name}-{hashlib.sha256(seed).hexdigest()[:7]}"
    if resource.check:
        failures += resource.check(inputs)
    return inputs, failures


def _known(resource: Resource) -> str:
    return ", ".join(field.name for field in resource.fields if not field.output)


def diff(resource: Resource, plan: Plan) -> list[Change]:
    """What the plan changes, measured against the state: a value the API fills in keeps when it is left out."""
    changes = []
    for field in resource.fields:
        if field.output or field.write_only or field.name in plan.ignored:
            continue
        before, after = plan.state.get(field.name), plan.inputs.get(field.name)
        if after is None:
            if field.computed or (field.name not in plan.old_inputs and field.default is None):
                continue
            after = field.default
        if not _same(field, before, after):
            kind = "ADD" if empty(before) else "DELETE" if empty(after) else "UPDATE"
            changes.append(Change(field.name, kind, field.replaces))
    return changes


def _same(field: Field, before: Any, after: Any) -> bool:
    if empty(before) and empty(after):
        return True
    if has_unknown(after):
        return False
    if isinstance(field.kind, Block) and isinstance(before, dict) and isinstance(after, dict):
        return all(
            _same(each, before.get(each.name), after.get(each.name))
            for each in field.kind.fields
            if each.name in after or not (each.computed or field.computed)
        )
    if field.unordered and isinstance(before, list) and isinstance(after, list):
        return sorted(map(str, before)) == sorted(map(str, after))
    return bool(before == after)


def planned(resource: Resource, new: Json, state: Json | None = None) -> Json:
    """The outputs that a preview can know."""
    known = {**(state or {}), **_with_defaults(resource, new)}
    for field in resource.fields:
        if field.name not in known and (field.output or field.computed):
            known[field.name] = UNKNOWN
    return known


def create(api: Api, resource: Resource, new: Json) -> State:
    """Makes the resource with these inputs."""
    wanted = _with_defaults(resource, new)
    if resource.before_create:
        resource.before_create(api, wanted)
    first = tuple(field for field in resource.fields if not field.late)
    answer = _call(api, resource, "POST", resource.create, wanted, body=_body(resource, first, wanted))
    late = [field for field in resource.fields if field.late and wanted.get(field.name) is not None]
    own = str(answer.get("id", ""))
    properties = {**decode(resource.fields, answer), **wanted}
    if resource.after_create:
        properties = {**properties, **_shown(resource.after_create(api, properties, answer), wanted)}
    if late:
        body = _body(resource, resource.fields, properties)
        answer = _call(api, resource, "PATCH", resource.update, {**properties, "id": own}, body=body)
        properties = {**decode(resource.fields, answer), **properties}
    return State(resource.identity.format_map({**properties, "id": own}), properties)


def _shown(found: Json, wanted: Json) -> Json:
    """What was asked for stays as it was asked for; a block is filled up with what the API added."""
    blocks = {name for name, value in wanted.items() if isinstance(value, dict) and isinstance(found.get(name), dict)}
    merged = {name: {**found[name], **wanted[name]} for name in blocks}
    return {**found, **{name: value for name, value in wanted.items() if name in found}, **merged}


def update(api: Api, resource: Resource, own: str, plan: Plan) -> Json:
    """Sends each patch that a change touches. A change that no patch carries is taken as made."""
    changed = {change.path for change in diff(resource, plan)}
    kept = {name: plan.state[name] for name in plan.ignored if name in plan.state}
    wanted = {**_with_defaults(resource, plan.inputs), **kept}
    properties = {**plan.state, **wanted}
    for name in changed - set(wanted):
        properties.pop(name, None)
    at = _located(resource, own, plan.state)
    for patch in resource.patches:
        if changed & set(patch.fields):
            body = _body(resource, _carried(resource, patch, changed), properties)
            answer = _call(api, resource, "PATCH", resource.update, at, body=body)
            properties = {**properties, **decode(resource.fields, answer), **wanted}
    if resource.after_update:
        resource.after_update(api, at, properties)
    return properties


def _carried(resource: Resource, patch: Patch, changed: set[str]) -> tuple[Field, ...]:
    names = set(patch.fields) if patch.whole else changed & set(patch.fields)
    return tuple(field for field in resource.fields if field.name in names)


def read(api: Api, resource: Resource, own: str, state: Json, old_inputs: Json) -> tuple[State, Json] | None:
    """The resource as it is and the inputs that would make it so; None where it is gone."""
    at = _located(resource, own, state)
    try:
        answer = _call(api, resource, "GET", resource.read, at)
        properties = {**state, **{key: at[key] for key in at if resource.field(key)}, **decode(resource.fields, answer)}
        if resource.after_read:
            properties = {**properties, **resource.after_read(api, {**properties, "id": at["id"]}, answer)}
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    found = str(answer.get("id", at["id"]))
    return State(resource.identity.format_map({**properties, "id": found}), properties), _inputs(
        resource, properties, old_inputs
    )


def _inputs(resource: Resource, properties: Json, old_inputs: Json) -> Json:
    """On a refresh the inputs there were, with today's values; on an import all that is not the default."""
    inputs: Json = {}
    for field in resource.fields:
        value = properties.get(field.name)
        if field.output or value is None:
            continue
        old = old_inputs.get(field.name)
        if not old_inputs:
            if not empty(value) and value != field.default:
                inputs[field.name] = value
        elif old is not None:
            keep = isinstance(old, dict) and isinstance(field.kind, Block) and isinstance(value, dict)
            inputs[field.name] = {key: value.get(key) for key in old} if keep else value
            if _same(field, old, inputs[field.name]):
                inputs[field.name] = old
    return inputs


def delete(api: Api, resource: Resource, own: str, state: Json) -> None:
    """Deletes it; an answer that the original takes for success is one here."""
    try:
        _call(api, resource, "DELETE", resource.delete, _located(resource, own, state))
    except ApiError as error:
        if error.status not in api.gone:
            raise


def _with_defaults(resource: Resource, new: Json) -> Json:
    defaults = {field.name: field.default for field in resource.fields if field.default is not None}
    return {**defaults, **{name: value for name, value in new.items() if value is not None}}


def _located(resource: Resource, own: str, state: Json) -> Json:
    """The properties that paths are made of, from the state or, for an import, from the id alone."""
    *outer, last = resource.imports
    if all(state.get(name) for name in (*outer, *([] if last == "id" else [last]))):
        return {**state, "id": own}
    parts = own.split("/")
    if len(parts) != len(resource.imports):
        raise LookupError(f"{own!r} does not name a {resource.module}: write {'/'.join(resource.imports)}")
    return {**state, "id": own, **dict(zip(resource.imports, parts, strict=True))}


def _body(resource: Resource, fields: tuple[Field, ...], properties: Json) -> Json:
    body = encode(fields, properties)
    if resource.body:
        body = resource.body(properties, body)
    return {resource.envelope: body} if resource.envelope else body


def _call(
    api: Api, resource: Resource, method: str, template: str, properties: Json, *, body: Json | None = None
) -> Json:
    path = template.format_map({name: quote(str(value), safe="") for name, value in properties.items()})
    query = {param: str(properties[name]) for name, param in resource.query if properties.get(name)}
    answer = api.call(method, path, body, query)
    if resource.answer:
        return resource.answer(answer)
    found: Json = answer.get(resource.envelope, {}) if resource.envelope else answer
    return found
