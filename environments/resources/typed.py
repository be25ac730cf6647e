"""The base of our own resources: what the engine asks of one, with its inputs and outputs as frozen dataclasses.

State carries `stateVersion`; `Typed.upgrade` is the one place that reads what an earlier version wrote.
"""

from __future__ import annotations

import dataclasses
import typing
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final, Generic, TypeVar

from environments.errors import StateError
from environments.props import UNKNOWN_VALUE, Flag, decode, differing, encode, fields_of, hidden

I = TypeVar("I")  # noqa: E741 - inputs
O = TypeVar("O")  # noqa: E741 - outputs

VERSION_KEY: Final = "stateVersion"


@dataclasses.dataclass(frozen=True)
class State(Generic[I, O]):
    """What the stack's state holds of one resource."""

    id: str
    inputs: I
    outputs: O


@dataclasses.dataclass(frozen=True)
class Checked(Generic[I]):
    """Inputs as they are to be used, or why they can't be."""

    inputs: I
    refusals: tuple[str, ...] = ()

    @classmethod
    def of(cls, inputs: I, refusal: str) -> Checked[I]:
        """Return the inputs, refused if `refusal` says why."""
        return cls(inputs, (refusal,) if refusal else ())


class Typed(ABC, Generic[I, O]):
    """One kind of resource. A subclass names its dataclasses, `Typed[Inputs, Outputs]`, and what is done.

    `VERSION` is that of the state that this code writes. What isn't overridden keeps things as they are: `read`
    believes the state, `delete` leaves what was made.
    """

    inputs_type: ClassVar[type[Any]]
    outputs_type: ClassVar[type[Any]]
    VERSION: ClassVar[int] = 1

    def __init_subclass__(cls) -> None:
        """Take the dataclasses from the class' own base."""
        bases = [base for base in getattr(cls, "__orig_bases__", ()) if typing.get_origin(base) is Typed]
        if bases:
            cls.inputs_type, cls.outputs_type = typing.get_args(bases[0])

    def check(self, old: I | None, new: I) -> Checked[I]:
        """Return the inputs to use, given those of the last update, or why the edit is refused. Changes nothing."""
        return Checked(new)

    def stale(self, old: State[I, O], new: I) -> bool:
        """Tell whether an update is needed although no watched input changed."""
        return False

    @abstractmethod
    def create(self, new: I) -> tuple[str, O]:
        """Make it, or find what an earlier create made that was cut short; return its id and outputs."""

    @abstractmethod
    def update(self, old: State[I, O], new: I) -> O:
        """Bring it to what `new` says."""

    def read(self, old: State[I, O]) -> State[I, O] | None:
        """Return it as it really is; None if it is gone."""
        return old

    def delete(self, old: State[I, O]) -> None:
        """Let go of it."""

    def upgrade(
        self,
        version: int,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that an earlier `version` wrote as this one writes them. `outputs` are {} in a check."""
        raise StateError(f"its state is of version {version}, which this version of environments doesn't read")

    def decoded_inputs(self, values: dict[str, Any]) -> I:
        """Return the inputs for the engine's values, of whatever version they are."""
        return self._inputs(self._current(values, {})[0])

    def decoded_state(self, id_: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> State[I, O]:
        """Return the state for the engine's values, of whatever version they are."""
        inputs, outputs = self._current(inputs, outputs)
        made: O = decode(self.outputs_type, outputs)
        return State(id_, self._inputs(inputs), made)

    def encoded(self, values: I | O) -> dict[str, Any]:
        """Return inputs or outputs as the engine's values, with the version of the state."""
        encoded: dict[str, Any] = encode(values)
        return {**encoded, VERSION_KEY: self.VERSION}

    def changed(self, old: State[I, O], new: I) -> list[str]:
        """Return the names of the watched inputs in which `new` differs from what was."""
        return differing(old.inputs, new)

    def strange(self, values: dict[str, Any]) -> list[str]:
        """Return the names among the engine's values that are no inputs of this resource."""
        own = {field.wire for field in fields_of(self.inputs_type)} | {VERSION_KEY}
        return sorted(key for key in values if key not in own and not key.startswith("__"))

    def planned(self, old: State[I, O] | None, new: I) -> dict[str, Any]:
        """Return the outputs as a preview knows them: what lasts is as it was, all else is not known yet."""
        outputs: dict[str, Any] = {}
        for field in fields_of(self.outputs_type):
            lasts = old is not None and Flag.LASTING in field.flags
            value = encode(getattr(old.outputs, field.name)) if old is not None and lasts else UNKNOWN_VALUE
            if value is not None:
                outputs[field.wire] = hidden(value) if field.secret else value
        return {**outputs, VERSION_KEY: self.VERSION}

    def _inputs(self, values: dict[str, Any]) -> I:
        made: I = decode(self.inputs_type, values)
        return made

    def _current(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values as this version writes them. Raises StateError for those of a newer version."""
        version = int(inputs.get(VERSION_KEY) or outputs.get(VERSION_KEY) or self.VERSION)
        if version > self.VERSION:
            raise StateError(
                f"its state was written by a newer version of environments (state {version}, this one reads up to "
                f"{self.VERSION}): install that version, then come back"
            )
        return self.upgrade(version, inputs, outputs) if version < self.VERSION else (inputs, outputs)
