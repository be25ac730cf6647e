"""Take what exists into a stack's state: `pulumi import`, and then only those inputs that the program gives."""

from __future__ import annotations

from collections.abc import Sequence

from environments.clients.pulumi import Resource, Stack
from environments.commands.comparison.candidates import Candidate
from environments.commands.comparison.import_file import import_file


def take_over(stack: Stack, creates: Sequence[Resource], found: Sequence[Candidate]) -> None:
    """Have the providers read what was `found` of `creates` into the state; nothing in the clouds changes."""
    if not found:
        return
    stack.take_in(import_file(creates, found))
    stack.trim({one.create.urn: frozenset(one.create.values) for one in found})
