"""VariableDrift: the sensitive variables hold what this stack wrote, told by when they were last updated.

Vercel never gives a sensitive value back, so the provider can't see that somebody changed one: it would come to light
with the next push, on another database. The seal writes each value once more, after the variable was made or changed,
and notes the moment that Vercel answers with. Whatever has written since then, a refresh finds another moment.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from environments import log
from environments.clients.http import ApiError
from environments.clients.vercel import Vercel, masked
from environments.program.own import LegacyResource

_INPUTS = ("project", "variables", "fingerprint")


class VariableDriftError(Exception):
    """A variable could not be written."""


class VariableDriftProvider(ResourceProvider):
    """Notes when each variable was written; deleting the seal leaves the variables as they are."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Write all of them, so that what is noted is a moment of ours."""
        return CreateResult("seal", _sealed(props))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Other variables, another value, or one that somebody else has written: which is told to the reviewer."""
        for key, moment in sorted((_olds.get("broken") or {}).items()):
            _tell(key, moment)
        return DiffResult(changes=bool(_olds.get("broken")) or any(_olds.get(key) != _news.get(key) for key in _INPUTS))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Write all of them again."""
        return UpdateResult(_sealed(_news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look whether somebody else has written since. A variable that is gone is the provider's to tell."""
        with Vercel() as vercel:
            found = {variable["id"]: variable["updatedAt"] for variable in vercel.variables(props["project"])}
        broken = {
            key: _told(found[variable])
            for key, variable in props["variables"].items()
            if variable in found and int(found[variable]) != int(props["written"][key])
        }
        return ReadResult(id_, props | {"broken": broken})


class VariableDrift(LegacyResource):
    """The seal on an environment's sensitive variables."""

    def __init__(
        self,
        name: str,
        *,
        project: pulumi.Input[str],
        variables: Mapping[str, pulumi.Input[str]],
        values: Mapping[str, pulumi.Input[str | None]],
        fingerprint: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """VariableDrift `variables`, ids by key, that hold `values`, secrets by key; `fingerprint` tells when those change."""
        props = {
            "project": project,
            "variables": dict(variables),
            "values": dict(values),
            "fingerprint": fingerprint,
            "written": None,
            "broken": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["values"])
        super().__init__(VariableDriftProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


@functools.cache
def _tell(key: str, moment: str) -> None:
    """Say it once: a preview that refreshes asks for the difference twice."""
    log.warn(
        f"{key} was changed in Vercel at {moment}: by hand, or by a pulumi up that was cut short. Its value is "
        "sensitive and can't be compared: pulumi up writes it again"
    )


def _sealed(props: dict[str, Any]) -> dict[str, Any]:
    values = props["values"]
    with Vercel() as vercel:
        try:
            written = {
                key: vercel.write_variable(props["project"], variable, values[key])
                for key, variable in props["variables"].items()
            }
        except ApiError as error:
            raise VariableDriftError(masked(str(error), list(values.values()))) from None
    return props | {"written": written, "broken": {}}


def _told(milliseconds: float) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
