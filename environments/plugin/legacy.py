"""A resource that still works on dicts, behind the typed base. Goes when the last one is typed."""

from __future__ import annotations

from typing import Any

from environments.props import plain
from environments.resources.typed import Checked, State, Typed


class Legacy(Typed[dict[str, Any], dict[str, Any]]):
    """Wraps a provider that has check, diff, create, update, read and delete over dicts."""

    def __init__(self, provider: Any) -> None:
        """Wrap `provider`."""
        self._provider = provider

    def check(self, old: dict[str, Any] | None, new: dict[str, Any]) -> Checked[dict[str, Any]]:
        result = self._provider.check(old or {}, new)
        return Checked(result.inputs, tuple(failure.reason for failure in result.failures))

    def changed(self, old: State[Any, Any], new: dict[str, Any]) -> list[str]:
        if self._provider.diff(old.id, old.outputs, new).changes:
            return [key for key in new if old.outputs.get(key) != new[key]] or ["made"]
        return []

    def strange(self, values: dict[str, Any]) -> list[str]:
        return []

    def planned(self, old: State[Any, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
        return {}

    def create(self, new: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        result = self._provider.create(new)
        return result.id, result.outs

    def update(self, old: State[Any, Any], new: dict[str, Any]) -> dict[str, Any]:
        return dict(self._provider.update(old.id, old.outputs, new).outs)

    def read(self, old: State[Any, Any]) -> State[Any, Any] | None:
        result = self._provider.read(old.id, old.outputs)
        if not result.id:
            return None
        return State(result.id, result.inputs if result.inputs is not None else old.inputs, result.outs)

    def delete(self, old: State[Any, Any]) -> None:
        self._provider.delete(old.id, old.outputs)

    def decoded_inputs(self, values: dict[str, Any]) -> dict[str, Any]:
        return dict(_bare(values))

    def decoded_state(self, id_: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> State[Any, Any]:
        return State(id_, _bare(inputs), _bare(outputs))

    def encoded(self, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in _full(values).items() if not key.startswith("__")}


def _bare(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items()}
    return [_bare(each) for each in value] if isinstance(value, list) else value


def _full(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _full(each) for key, each in value.items() if each is not None}
    return [_full(each) for each in value] if isinstance(value, list | tuple) else value
