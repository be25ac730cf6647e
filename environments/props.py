"""The engine's property maps as frozen dataclasses, and back. Markers in databases are read and written the same way.

Everything that the engine has to know of a property is said where the field is declared:

    Secret[T]       kept encrypted in the state, and masked in what is shown
    Unwatched[T]    an input of which a change alone updates nothing
    Lasting[T]      an output that an update leaves as it is, so that a preview knows it
    T | Unknown     an input that a preview may not know yet

On the wire names are camelCase, numbers are floats, and what is None is left out.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
import types
import typing
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from environments.errors import RefusedError, StateError

T = TypeVar("T")

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_VALUE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the engine's sign that a value is secret
UNKNOWN_VALUE: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes a value that a preview doesn't know (pulumi/sdk/go/common/resource/plugin/rpc.go)."""
_SHORTEST_SECRET = 3
"""Characters; what isn't longer would be masked in every text."""


class Unknown:
    """A value that a preview doesn't know yet."""

    def __repr__(self) -> str:
        """Show it as what it is."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


class Flag(enum.Enum):
    """What the engine has to know of a property."""

    SECRET = enum.auto()
    UNWATCHED = enum.auto()
    LASTING = enum.auto()


Secret = Annotated[T, Flag.SECRET]
Unwatched = Annotated[T, Flag.UNWATCHED]
Lasting = Annotated[T, Flag.LASTING]


class NotKnownError(RefusedError):
    """A value is needed and isn't known before an update makes it."""


def known(value: T | Unknown, what: str = "a value") -> T:
    """Return a value that must be known by now. Raises NotKnownError in a preview that doesn't know it."""
    if isinstance(value, Unknown):
        raise NotKnownError(f"{what} is not known before it is made")
    return value


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a dataclass: its name here and on the wire, its type without what is said of it, and its flags."""

    name: str
    wire: str
    type: Any
    flags: frozenset[Flag]
    default: Callable[[], Any] | None

    @property
    def secret(self) -> bool:
        """Whether its value is kept encrypted."""
        return Flag.SECRET in self.flags


def camel(name: str) -> str:
    """Return a Python name as the engine's other languages write it."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def fields_of(model: type[Any]) -> tuple[Field, ...]:
    """Return the fields of a dataclass, in their order."""
    return _fields_of(typing.cast("Hashable", model))


@functools.cache
def _fields_of(model: Hashable) -> tuple[Field, ...]:
    hints = typing.get_type_hints(model, include_extras=True)
    return tuple(_field(each, hints[each.name]) for each in dataclasses.fields(typing.cast("type[Any]", model)))


def _field(declared: dataclasses.Field[Any], hint: Any) -> Field:
    flags: set[Flag] = set()
    while typing.get_origin(hint) is Annotated:
        hint, *said = typing.get_args(hint)
        flags |= {flag for flag in said if isinstance(flag, Flag)}
    default: Callable[[], Any] | None = None
    if declared.default is not dataclasses.MISSING:
        value = declared.default
        default = lambda: value  # noqa: E731
    elif declared.default_factory is not dataclasses.MISSING:
        default = declared.default_factory
    return Field(declared.name, camel(declared.name), hint, frozenset(flags), default)


def decode(model: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Return the dataclass `model` for the engine's `values`.

    Raises StateError for a value that isn't of its field's type or is missing, NotKnownError for one that isn't known
    although its type says that it always is.
    """
    made: dict[str, Any] = {}
    for field in fields_of(model):
        path = f"{where}{field.wire}"
        value = plain(values.get(field.wire))
        if value is None and not takes_none(field.type):
            if field.default is None:
                raise StateError(f"{path} is missing")
            made[field.name] = field.default()
        else:
            made[field.name] = _decoded(field.type, value, path)
    return model(**made)


def plain(value: Any) -> Any:
    """Return a value without the sign that it is secret."""
    return value.get("value") if is_secret(value) else value


def is_secret(value: Any) -> bool:
    """Tell whether the engine holds a value as a secret."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET_VALUE


def hidden(value: Any) -> dict[str, Any]:
    """Return a value with the engine's sign that it is secret."""
    return {SIGNATURE: SECRET_VALUE, "value": value}


def secrets_in(value: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield the texts that the engine holds as secrets in `value`, wherever they stand, the shortest ones left out."""
    if is_secret(value):
        yield from secrets_in(value.get("value"), secret=True)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_in(each, secret=secret)
    elif isinstance(value, list):
        for each in value:
            yield from secrets_in(each, secret=secret)
    elif secret and isinstance(value, str) and len(value) > _SHORTEST_SECRET:
        yield value


def takes_none(hint: Any) -> bool:
    """Tell whether a value of this type may be missing."""
    return hint is type(None) or (is_union(hint) and type(None) in typing.get_args(hint))


def is_union(hint: Any) -> bool:
    """Tell whether a type is one of several, however it is written."""
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _decoded(hint: Any, value: Any, path: str) -> Any:  # noqa: PLR0911, PLR0912, C901 - one return a kind
    while typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    value = plain(value)
    if is_union(hint):
        return _one_of(typing.get_args(hint), value, path)
    if value == UNKNOWN_VALUE:
        raise NotKnownError(f"{path} is not known before it is made")
    if isinstance(hint, typing.NewType):
        return _decoded(hint.__supertype__, value, path)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return decode(typing.cast("type[Any]", hint), value, f"{path}.")
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[1:] == (Ellipsis,):
            return tuple(_decoded(arguments[0], each, f"{path}[{at}]") for at, each in enumerate(value))
        if len(arguments) == len(value):
            pairs = zip(arguments, value, strict=True)
            return tuple(_decoded(each, found, f"{path}[{at}]") for at, (each, found) in enumerate(pairs))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        # The engine's maps have no order; ours have one, so that a sentence about them is the same each time.
        return {key: _decoded(arguments[1], each, f"{path}.{key}") for key, each in sorted(value.items())}
    if hint is int and isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
        return int(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint in (str, bool) and isinstance(value, hint):
        return value
    raise StateError(f"{path} is {value!r:.60}, not {_name_of(hint)}")


def _name_of(hint: Any) -> str:
    """Return what a type is called in an error: for a choice of words, the words."""
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    return str(getattr(hint, "__name__", hint))


def _one_of(choices: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in choices:
        return None
    rest = [choice for choice in choices if choice not in (Unknown, type(None))]
    wrong: StateError | None = None
    try:
        for choice in rest:
            try:
                return _decoded(choice, value, path)
            except StateError as error:
                wrong = error
    except NotKnownError:
        if Unknown in choices:
            return UNKNOWN
        raise
    raise wrong or StateError(f"{path} is {value!r:.60}")


def encode(value: Any, secret: Callable[[Any], Any] | None = None) -> Any:
    """Return a dataclass as the engine's values, and everything in it; what isn't a plain value stays as it is.

    `secret` is what is done with the value of a secret field; by default it gets the engine's sign.
    """
    hide = secret or hidden
    if value is UNKNOWN:
        return UNKNOWN_VALUE
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        encoded = {field.wire: (field, encode(getattr(value, field.name), secret)) for field in fields_of(type(value))}
        return {
            wire: hide(each) if field.secret else each for wire, (field, each) in encoded.items() if each is not None
        }
    if isinstance(value, tuple | list):
        return [encode(each, secret) for each in value]
    if isinstance(value, Mapping):
        return {key: encode(each, secret) for key, each in value.items() if each is not None}
    return value


def differing(old: Any, new: Any) -> list[str]:
    """Return the wire names of the watched fields in which two inputs differ; an unknown value differs."""
    watched = [field for field in fields_of(type(new)) if Flag.UNWATCHED not in field.flags]
    return [each.wire for each in watched if _differs(getattr(old, each.name), getattr(new, each.name))]


def _differs(old: Any, new: Any) -> bool:
    if new is UNKNOWN:
        return True
    if dataclasses.is_dataclass(new) and type(old) is type(new):
        return bool(differing(old, new))
    return bool(old != new)
