"""Writes a table as a Pulumi package schema, which the SDK generator and `GetSchema` both use."""

from localcloud.plugins.table import Block, Field, Function, Json, Many, Package, Resource


def package_schema(package: Package) -> Json:
    """The schema as a JSON object."""
    types: Json = {}
    schema: Json = {
        "name": package.name,
        "version": package.version,
        "description": package.doc,
        "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},
        "language": {
            "python": {"compatibility": "tfbridge20", "respectSchemaVersion": True, "pyproject": {"enabled": True}}
        },
        "config": {"variables": _properties(package, package.config, types)},
        "provider": {
            "description": package.doc,
            "properties": _properties(package, package.config, types),
            "inputProperties": _properties(package, package.config, types),
        },
        "resources": {
            f"{package.name}:index/{resource.module}:{resource.title}": _resource(package, resource, types)
            for resource in package.resources
        },
        "functions": {
            f"{package.name}:index/{function.name}:{function.name}": _function(package, function, types)
            for function in package.functions
        },
        "types": types,
    }
    if package.base:
        name, version = package.base
        schema["parameterization"] = {
            "baseProvider": {"name": name, "version": version},
            "parameter": package.parameter,
        }
    return schema


def _resource(package: Package, resource: Resource, types: Json) -> Json:
    inputs = tuple(field for field in resource.fields if not field.output)
    return {
        "description": resource.doc,
        "properties": _properties(package, resource.fields, types),
        "required": [field.name for field in resource.fields if _always_set(field)],
        "inputProperties": _properties(package, inputs, types),
        "requiredInputs": [field.name for field in inputs if field.required],
        "stateInputs": {"type": "object", "properties": _properties(package, resource.fields, types)},
    }


def _always_set(field: Field) -> bool:
    return field.required or field.output or field.computed or field.default is not None


def _function(package: Package, function: Function, types: Json) -> Json:
    return {
        "description": function.doc,
        "inputs": _object(package, function.inputs, types),
        "outputs": _object(package, (*function.outputs, Field(name="id")), types, all_set=True),
    }


def _object(package: Package, fields: tuple[Field, ...], types: Json, *, all_set: bool = False) -> Json:
    return {
        "type": "object",
        "properties": _properties(package, fields, types),
        "required": [field.name for field in fields if field.required or all_set],
    }


def _properties(package: Package, fields: tuple[Field, ...], types: Json) -> Json:
    return {field.name: _property(package, field, types) for field in fields}


def _property(package: Package, field: Field, types: Json) -> Json:
    spec = _type(package, field.kind, types)
    if field.doc:
        spec["description"] = field.doc
    if field.secret:
        spec["secret"] = True
    if field.replaces:
        spec["willReplaceOnChanges"] = True
    return spec


def _type(package: Package, kind: object, types: Json) -> Json:
    match kind:
        case Block(name=name, fields=fields):
            token = f"{package.name}:index/{name}:{name}"
            types[token] = _object(package, fields, types)
            return {"$ref": f"#/types/{token}"}
        case Many(of=of, keyed=True):
            return {"type": "object", "additionalProperties": _type(package, of, types)}
        case Many(of=of):
            return {"type": "array", "items": _type(package, of, types)}
        case _:
            return {"type": str(kind)}
