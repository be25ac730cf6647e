"""The file from which `pulumi import` takes things over: what is there, and the components and providers around it.

`pulumi preview --import-file` writes such a file too, without ids, and in version 3.259 without the parameterization
that the Neon provider needs.
"""

from __future__ import annotations

import json
from importlib import resources as package_files
from typing import TYPE_CHECKING, Any

from environments.commands.adopt.existing import There

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.commands.adopt.existing import Create

_STACK = "pulumi:pulumi:Stack"


def import_file(wanted: Sequence[Create], found: Sequence[There]) -> dict[str, Any]:
    """Return the file's content for `found`, given everything that the stack would create."""
    made = {create.urn: create for create in wanted}
    needed: dict[str, Create] = {}
    for there in found:
        for urn in (*_around(there.create.parent, made), there.create.provider):
            if urn in made:
                needed[urn] = made[urn]
    outside = {there.create.provider for there in found if _is_explicit(there.create.provider)}
    outside |= {create.parent for create in (*needed.values(), *(there.create for there in found))}
    table = {_label(urn): urn for urn in sorted(outside) if urn and urn not in made and f"::{_STACK}::" not in urn}
    return {
        "nameTable": table,
        "resources": [*(_surrounding(create) for create in needed.values()), *map(_imported, found)],
    }


def _around(parent: str, made: dict[str, Create]) -> list[str]:
    """Return the components above a resource that are still to be created, the outermost first."""
    above: list[str] = []
    while parent in made and made[parent].type != _STACK:
        above.append(parent)
        parent = made[parent].parent
    return above[::-1]


def _surrounding(create: Create) -> dict[str, Any]:
    inside = {"inputs": dict(create.inputs)} if create.custom else {"component": True}
    return _named(create) | inside


def _imported(there: There) -> dict[str, Any]:
    """Return one resource to take over: read by its provider, unless its `state` is told here.

    A variable's is, without its value: `pulumi import` would write that into the state as plain text.
    """
    create = there.create
    via = {"provider": _label(create.provider)} if _is_explicit(create.provider) else _neon()
    if there.state is not None:
        return _named(create) | via | {"id": there.id, "inputs": there.state, "outputs": there.state}
    return _named(create) | via | {"id": f"{there.project}/{there.id}"}


def _named(create: Create) -> dict[str, Any]:
    named = {"type": create.type, "name": _label(create.urn), "logicalName": create.name}
    return named | ({"parent": _label(create.parent)} if create.parent and _STACK not in create.parent else {})


def _is_explicit(provider: str) -> bool:
    return bool(provider) and not provider.rpartition("::")[2].startswith("default")


def _label(urn: str) -> str:
    """Return a name that tells resources of one name apart."""
    return urn.split("::", 2)[2]


def _neon() -> dict[str, Any]:
    """Return which plugin the Neon provider is, as its generated package says."""
    plugin = json.loads(package_files.files("pulumi_neon").joinpath("pulumi-plugin.json").read_text())
    parameter = plugin["parameterization"]
    return {
        "version": parameter["version"],
        "parameterization": {
            "pluginName": plugin["name"],
            "pluginVersion": plugin["version"],
            "value": parameter["value"],
        },
    }
