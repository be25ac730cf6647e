"""No credential gets into a comment: whatever was said, by our code, a provider or the engine, it is masked here."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, TypeVar

from environments.review.model import Entry

Said = TypeVar("Said", bound=Entry)

_CREDENTIALS = re.compile(
    r"(?<=://)[^\s/@]+(?=@)|(?<=password=)\S+|\b(?:napi|vck|pul|ghp|gho|github_pat)[-_]\w{8,}", re.IGNORECASE
)
_HIDDEN = "***"
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]{0,80}(?=:|$)")


def is_crash(text: str) -> bool:
    """Tell whether a text is a program's end by an exception that nobody expected."""
    return _TRACEBACK in text


def masked(text: str) -> str:
    """Return text without credentials. A traceback may hold any value: of that, the exception's name alone is left."""
    before, traceback, after = text.partition(_TRACEBACK)
    if not traceback:
        return _CREDENTIALS.sub(_HIDDEN, text)
    lines = [line for line in after.splitlines() if line and not line[0].isspace()]
    exception = next((found[0] for line in lines if (found := _EXCEPTION.match(line))), "an exception")
    return (
        f"{_CREDENTIALS.sub(_HIDDEN, before).strip()} {exception} (its text may hold values, so it isn't shown here; "
        "`pulumi preview` shows it)"
    ).lstrip()


def masked_entry(entry: Said) -> Said:
    """Return an entry whose texts are all masked."""
    masked_one: Said = _masked(entry)
    return masked_one


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, tuple):
        return tuple(_masked(each) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _masked(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return value
