"""The vocabulary of a provider's table: what a resource looks like and where each of its fields travels over HTTP."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from localcloud.plugins.api import Api

Json = dict[str, Any]
Scalar = Literal["string", "number", "boolean"]


@dataclass(frozen=True)
class Block:
    """A nested object, named as the schema names its type."""

    name: str
    fields: tuple["Field", ...]


@dataclass(frozen=True)
class Many:
    """A list of scalars, or a map from string to scalar when `keyed`."""

    of: "Scalar | Block" = "string"
    keyed: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a resource, and the dotted path at which the API carries it."""

    name: str
    kind: Scalar | Block | Many = "string"
    doc: str = ""
    required: bool = False
    replaces: bool = False
    secret: bool = False
    output: bool = False  # set by the API only
    computed: bool = False  # the API fills it in when it is left out, and keeps it
    default: Any = None
    codec: Literal["", "flag", "unix"] = ""  # "flag": true is spelled "yes"; "unix": a time is spelled in seconds
    unordered: bool = False  # a set
    write_only: bool = False  # sent, never kept or compared
    late: bool = False  # not taken by the create request: sent by an update that follows it
    wire: str = ""  # "" is the snake_case name, "-" is nowhere

    @property
    def path(self) -> str:
        return self.wire or snake(self.name)


@dataclass(frozen=True)
class Patch:
    """One PATCH of an update, sent when one of `fields` differs: with those that do, or with all when `whole`."""

    fields: tuple[str, ...]
    whole: bool = False


Extra = Callable[["Api", Json, Json], Json]
"""Reads what one answer does not hold: (api, properties so far, the API's object) -> more properties."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource type; paths are templates over the properties and `{id}`."""

    module: str
    fields: tuple[Field, ...]
    envelope: str = ""
    create: str
    read: str
    update: str = ""
    delete: str
    patches: tuple[Patch, ...] = ()
    identity: str = "{id}"  # the Pulumi id, a template over the API's object and the properties
    imports: tuple[str, ...]  # the parts of an import id, in order; "id" is the resource's own
    autoname: bool = False
    query: tuple[tuple[str, str], ...] = ()  # (property, query parameter)
    before_create: Callable[["Api", Json], None] | None = None
    body: Callable[[Json, Json], Json] | None = None  # (properties, body so far) -> body to send
    answer: Callable[[Json], Json] | None = None  # the object inside the answer, where it is not the envelope
    after_create: Extra | None = None
    after_read: Extra | None = None
    after_update: Callable[["Api", Json, Json], None] | None = None
    check: Callable[[Json], list[tuple[str, str]]] | None = None  # properties -> (property, reason) failures
    doc: str = ""

    @property
    def title(self) -> str:
        return self.module[0].upper() + self.module[1:]

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A read-only call; `run` turns the arguments into the result."""

    name: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    run: Callable[["Api", Json], Json]
    doc: str = ""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A provider: its names, its configuration and its tables."""

    name: str
    version: str
    config: tuple[Field, ...]
    resources: tuple[Resource, ...]
    functions: tuple[Function, ...]
    connect: Callable[[Json], "Api"]
    doc: str = ""
    base: tuple[str, str] | None = None  # the plugin's own name and version, when it is parameterized as this package
    parameter: str = ""  # what parameterizes it, base64

    def resource(self, token: str) -> Resource:
        for resource in self.resources:
            if token == f"{self.name}:index/{resource.module}:{resource.title}":
                return resource
        raise LookupError(f"{self.name} {self.version} has no resource type {token!r}")

    def function(self, token: str) -> Function:
        for function in self.functions:
            if token == f"{self.name}:index/{function.name}:{function.name}":
                return function
        raise LookupError(f"{self.name} {self.version} has no function {token!r}")


def snake(name: str) -> str:
    """`parentTimestamp` -> `parent_timestamp`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
