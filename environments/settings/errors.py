"""What an error says of a wrong setting: its path, its value, the rule, and what to do about it.

SettingsError carries one Problem or more (path, value, rule, remedy); a validator raises what `broken` returns.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from environments.errors import RefusedError

_SEPARATOR = "\n"
"""Between rule and remedy inside a pydantic message; neither holds a line break."""


@dataclass(frozen=True)
class Problem:
    """One wrong setting."""

    path: str
    value: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        """Say it in one line of plain words."""
        shown = f" is {self.value}" if self.value else ""
        return f"{self.path}{shown}: {self.rule}. {self.remedy}."


class SettingsError(RefusedError):
    """The stack's settings can't be used; nothing was changed."""

    def __init__(self, problems: list[Problem], stack: str) -> None:
        """Collect every problem of one stack, so that one run shows them all."""
        self.problems = problems
        count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{count} wrong in Pulumi.{stack}.yaml; nothing was changed.\n{lines}")


def broken(rule: str, remedy: str) -> PydanticCustomError:
    """Return the error that a validator raises when `rule` is broken; `remedy` says what to do."""
    return PydanticCustomError("rule", "{rule}" + _SEPARATOR + "{remedy}", {"rule": rule, "remedy": remedy})


def split(message: str) -> tuple[str, str]:
    """Take the message of a `broken` rule apart again into rule and remedy."""
    rule, _, remedy = message.partition(_SEPARATOR)
    return rule, remedy
