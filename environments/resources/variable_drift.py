"""VariableDrift: the sensitive variables hold what this stack wrote, told by when they were last updated.

Vercel never returns a sensitive value, so the provider can't see that somebody changed one: it would come to light with
the next push, on another database. This resource writes each value once more, after the variable was made or changed,
and notes the moment that Vercel answers with. Whatever writes it later, a refresh finds another moment.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from environments import log
from environments.clients.http import ApiError, masked
from environments.clients.vercel import Vercel
from environments.errors import FailedError
from environments.ids import Fingerprint, VariableId, VercelProject
from environments.props import Secret, Unknown, Unwatched, known
from environments.resources.typed import State, Typed


class VariableDriftError(FailedError):
    """A variable could not be written."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The variables of `project`, their ids and values by key; `fingerprint` tells when the values change."""

    project: VercelProject | Unknown
    variables: Mapping[str, VariableId] | Unknown
    values: Secret[Unwatched[Mapping[str, str] | Unknown]]
    fingerprint: Fingerprint | Unknown


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """When each variable was written, in milliseconds since 1970, and when somebody else did it since, in words."""

    written: Mapping[str, int]
    broken: Mapping[str, str]


class VariableDrift(Typed[Inputs, Outputs]):
    """Notes when each variable was written; deleting it leaves the variables as they are."""

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Write all of them, so that the moment that is noted is one of ours."""
        return "variables", _written(new)

    def stale(self, old: State[Inputs, Outputs], new: Inputs) -> bool:
        """Tell the reviewer which variables somebody else has written: they are written again."""
        for key, moment in sorted(old.outputs.broken.items()):
            _warn(key, moment)
        return bool(old.outputs.broken)

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Write all of them again."""
        return _written(new)

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs]:
        """Look whether somebody else has written since. A variable that is gone is the provider's to tell."""
        with Vercel() as vercel:
            found = {variable.id: variable.updated_at for variable in vercel.variables(known(old.inputs.project))}
        broken = {
            key: _moment(found[variable])
            for key, variable in known(old.inputs.variables).items()
            if variable in found and found[variable] != old.outputs.written[key]
        }
        return replace(old, outputs=replace(old.outputs, broken=broken))


@functools.cache
def _warn(key: str, moment: str) -> None:
    """Say it once: a preview that refreshes asks for the difference twice."""
    log.warn(
        f"{key} was changed in Vercel at {moment}: by hand, or by a pulumi up that was cut short. Its value is "
        "sensitive and can't be compared: pulumi up writes it again"
    )


def _written(new: Inputs) -> Outputs:
    project, values = known(new.project), known(new.values)
    with Vercel() as vercel:
        try:
            written = {
                key: vercel.write_variable(project, variable, values[key])
                for key, variable in known(new.variables).items()
            }
        except ApiError as error:
            raise VariableDriftError(masked(str(error), list(values.values()))) from None
    return Outputs(written=written, broken={})


def _moment(milliseconds: float) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
