"""Take what exists into a stack's state, by `pulumi import`."""

from __future__ import annotations

from collections.abc import Sequence

from environments.clients.pulumi import Resource, Stack
from environments.commands.comparison.candidates import Candidate
from environments.commands.comparison.import_file import import_file


def take_over(stack: Stack, creates: Sequence[Resource], found: Sequence[Candidate]) -> None:
    """Have the providers read what was `found` of `creates` into the state. Pending operations stay there."""
    if found:
        stack.take_in(import_file(creates, found))


def settle(stack: Stack, found: Sequence[Candidate]) -> None:
    """Leave what was taken over only those inputs that the program gives, and drop pending operations."""
    stack.settle({one.create.urn: frozenset(one.create.values) for one in found})
