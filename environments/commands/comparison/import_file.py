"""The file from which `pulumi import` takes things over: what exists, and the components and providers around it.

`pulumi preview --import-file` writes such a file too, without ids, and in version 3.259 without the parameterization
that the Neon provider needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources as package_files

from environments.clients.pulumi import ImportedResource, ImportFile, Parameterization, Resource, Urn
from environments.commands.comparison.candidates import Candidate
from environments.props import decode

_STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True)
class _Package:
    name: str
    version: str
    value: str


@dataclass(frozen=True, kw_only=True)
class _Plugin:
    """The file `pulumi-plugin.json` of a generated SDK: the plugin, and the package that it is to be."""

    name: str
    version: str
    parameterization: _Package


def import_file(creates: Sequence[Resource], found: Sequence[Candidate]) -> ImportFile:
    """Return the file for `found`, given everything that the stack would create."""
    new = {create.urn: create for create in creates}
    needed: dict[Urn, Resource] = {}
    for one in found:
        for urn in (*_around(one.create.parent, new), one.create.provider):
            if urn in new:
                needed[urn] = new[urn]
    outside = {one.create.provider for one in found if _is_explicit(one.create.provider)}
    outside |= {create.parent for create in (*needed.values(), *(one.create for one in found))}
    return ImportFile(
        name_table={_label(urn): urn for urn in sorted(outside) if urn and urn not in new and not _is_stack(urn)},
        resources=(*map(_surrounding, needed.values()), *map(_imported, found)),
    )


def _around(parent: Urn, new: Mapping[Urn, Resource]) -> list[Urn]:
    """Return the components above a resource that the stack would create, the outermost first."""
    above: list[Urn] = []
    while parent in new and new[parent].token != _STACK:
        above.append(parent)
        parent = new[parent].parent
    return above[::-1]


def _surrounding(create: Resource) -> ImportedResource:
    return ImportedResource(
        type=create.token,
        name=_label(create.urn),
        logical_name=create.name,
        parent=_parent(create),
        inputs=create.values if create.custom else None,
        component=None if create.custom else True,
    )


def _imported(one: Candidate) -> ImportedResource:
    """Return the entry of one thing, which its provider reads."""
    create, explicit = one.create, _is_explicit(one.create.provider)
    version, parameterization = (None, None) if explicit else _neon()
    return ImportedResource(
        type=create.token,
        name=_label(create.urn),
        logical_name=create.name,
        parent=_parent(create),
        provider=_label(create.provider) if explicit else None,
        version=version,
        parameterization=parameterization,
        id=one.import_id,
    )


def _parent(create: Resource) -> str | None:
    return _label(create.parent) if create.parent and not _is_stack(create.parent) else None


def _is_stack(urn: Urn) -> bool:
    return f"::{_STACK}::" in urn


def _is_explicit(provider: Urn) -> bool:
    return bool(provider) and not provider.rpartition("::")[2].startswith("default")


def _label(urn: Urn) -> str:
    """Return a name that tells resources of one name apart."""
    return urn.split("::", 2)[2]


def _neon() -> tuple[str, Parameterization]:
    """Return the version of the Neon provider's package, and which package its plugin is to be: as its SDK says."""
    text = package_files.files("pulumi_neon").joinpath("pulumi-plugin.json").read_text(encoding="utf-8")
    plugin = decode(_Plugin, json.loads(text))
    package = plugin.parameterization
    return package.version, Parameterization(
        plugin_name=plugin.name, plugin_version=plugin.version, value=package.value
    )
