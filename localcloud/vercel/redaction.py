"""Keeps the values of environment variables out of build logs and runtime logs."""

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

# Shorter values (a port, "true") would blank out half of every log.
_SHORTEST = 6
_MARK = "[redacted]"


class Redactor:
    """Replaces each of the given values, and the passwords of those that are URLs."""

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for value in values for part in _parts(value) if len(part) >= _SHORTEST}
        # The longest first: a URL goes as a whole before its password does.
        self._parts = sorted(parts, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        for part in self._parts:
            text = text.replace(part, _MARK)
        return text


def _parts(value: str) -> Iterable[str]:
    yield from (line.strip() for line in value.splitlines())
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))
