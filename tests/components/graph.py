"""The graph of one environment under Pulumi's mocks: which resources, with which inputs, and what waits for what."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks, settings

from components.environment import Environment
from environments.clients.comparing import COMPARING
from environments.plan.topology import Topology
from environments.plugin.registry import MODULES, resource_of
from environments.props import SECRET_VALUE, SIGNATURE, fields_of
from tests.components.examples import example


@dataclass(frozen=True)
class Made:
    """One resource that the program made; what it depends on is named by labels."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    waits_for: frozenset[str]
    protected: bool
    retained: bool
    ignored: tuple[str, ...]

    @property
    def label(self) -> str:
        """Its type without its package, and its name."""
        return f"{self.type.rpartition(':')[2]} {self.name}"


@dataclass(frozen=True)
class Graph:
    """What one environment is made of."""

    resources: tuple[Made, ...]

    def one(self, label: str) -> Made:
        """Return the one resource with this label."""
        (found,) = [made for made in self.resources if made.label == label]
        return found

    @property
    def labels(self) -> list[str]:
        """The labels of all resources, sorted."""
        return sorted(made.label for made in self.resources)

    def before(self, label: str) -> set[str]:
        """Return everything that is made before the resource with this label."""
        found: set[str] = set()
        left = [label]
        while left:
            last = left.pop()  # two projects may have one name
            new = {each for made in self.resources if made.label == last for each in made.waits_for} - found
            found |= new
            left += new
        return found


class _Answers(mocks.Mocks):
    """Answers as the providers would."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ in MODULES:
            resource = resource_of(args.typ)
            return f"{args.name}-id", example(resource.outputs_type)
        given = {"defaultBranchId": "br-default"}
        return f"{args.typ.rpartition(':')[2].lower()}-{args.name}", {**args.inputs, **given}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        assert args.token == "neon:index/getProject:getProject", "the only function that the program may ask"
        return {"id": "late-frost-1", "defaultBranchId": "br-default"}, []


class _Monitor(mocks.MockMonitor):
    """Remembers what the program registers, options included."""

    def __init__(self, *, unknown: bool) -> None:
        super().__init__(_Answers())
        self.made: list[Made] = []
        self._unknown = unknown

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's
        if request.custom:
            self.made.append(
                Made(
                    request.type,
                    request.name,
                    MessageToDict(request.object),
                    frozenset(_label(urn) for urn in request.dependencies if _is_custom(urn)),
                    request.protect,
                    request.retainOnDelete,
                    tuple(request.ignoreChanges),
                )
            )
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if self._unknown and request.custom:
            answer.id = ""
            answer.object.Clear()
        return answer


def graph(topology: Topology, *, preview: bool = False) -> Graph:
    """Make the environment of `topology`; in a `preview` no output of any resource is known."""
    settings.reset_options()
    monitor = _Monitor(unknown=preview)
    with _own_loops() as loop, patch.dict(os.environ, {COMPARING: "1"}):  # without hooks, which want an engine
        mocks.set_mocks(_Answers(), project="environments", stack=topology.stack, preview=preview, monitor=monitor)
        loop.run_until_complete(_made(topology))
        loop.run_until_complete(loop.shutdown_default_executor())
    settings.reset_options()
    return Graph(tuple(monitor.made))


async def _made(topology: Topology) -> None:
    Environment(topology.stack, topology)
    await pulumi.runtime.stack.wait_for_rpcs()


@contextmanager
def _own_loops() -> Iterator[asyncio.AbstractEventLoop]:
    """Give the SDK a loop, and close it and those that the SDK makes for its threads, which it doesn't do itself."""
    make, loops = asyncio.new_event_loop, []

    def remembered() -> asyncio.AbstractEventLoop:
        loops.append(make())
        return loops[-1]

    with patch("asyncio.new_event_loop", remembered):
        asyncio.set_event_loop(loop := remembered())
        try:
            yield loop
        finally:
            asyncio.set_event_loop(None)
            for each in loops:
                each.close()


def secret_inputs(made: Made) -> set[str]:
    """Return the names of the inputs that the program hands over as secrets."""
    return {
        name
        for name, value in made.inputs.items()
        if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET_VALUE
    }


def declared_secrets(made: Made) -> set[str]:
    """Return the names of the inputs that are secret by their type."""
    return {field.wire for field in fields_of(resource_of(made.type).inputs_type) if field.secret}


def _label(urn: str) -> str:
    kind, name = urn.split("::")[2:]
    return f"{kind.rpartition(':')[2]} {name}"


def _is_custom(urn: str) -> bool:
    return not urn.split("::")[2].endswith((":Environment", "neon:Branch", ":Stack"))
