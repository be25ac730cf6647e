"""The errors of this library. Each module's own errors derive from one of these, so that `except` reads as a sentence.

EnvironmentsError       the root: its text is meant for users and holds no secret
  ├─ RefusedError       the edit can't be carried out as it is; nothing was changed
  ├─ FailedError        a step was tried and failed; its text says what was undone
  └─ StateError         the stack's state, or a marker in a database, isn't what this version reads
"""

from __future__ import annotations


class EnvironmentsError(Exception):
    """The root of this library's errors."""


class RefusedError(EnvironmentsError):
    """The edit can't be carried out as it is; nothing was changed."""


class FailedError(EnvironmentsError):
    """A step was tried and failed."""


class StateError(EnvironmentsError):
    """A stored value isn't what this version reads."""
