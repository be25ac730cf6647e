"""What the program itself says in a review: it begins, it warns, it refuses. What our resources say is the plugin's."""

from __future__ import annotations

import pulumi

from environments.ids import StackName
from environments.review import model, telling
from environments.review.model import Refusal


def begin(stack: StackName) -> None:
    """Begin the review of a run of the program, so that nothing of an earlier run is taken for it."""
    telling.begin(stack)


def warn(text: str) -> None:
    """Say what the reader should do something about."""
    pulumi.log.warn(text)
    telling.record(model.Warning(text=text))


def refusal(error: Exception) -> pulumi.RunError:
    """Return the error that ends the program: Pulumi shows its text alone, and no traceback."""
    telling.record(Refusal(text=str(error)))
    return pulumi.RunError(str(error))
