"""`environments adopt`: changes the stack's state only; nothing in the clouds."""

from __future__ import annotations

import os

from environments.clients.comparing import COMPARING
from environments.clients.credentials import require_credentials
from environments.clients.neon import Neon
from environments.clients.pulumi import Stack
from environments.clients.vercel import Vercel
from environments.commands.adopt.existing import existing
from environments.commands.comparison.candidates import Clouds
from environments.commands.comparison.taking import settle, take_over
from environments.errors import RefusedError


class UnfinishedError(RefusedError):
    """An update of the stack was cut short."""


def adopt(stack: Stack) -> None:
    """Take over what the stack would create and what exists already."""
    require_credentials(os.environ)
    if stack.export().pending_creates:
        raise UnfinishedError(
            f"an update of {stack.name} was cut short. Run environments recover -s {stack.name} first"
        )
    creates = stack.creates({COMPARING: "1"})
    with Neon() as neon, Vercel() as vercel:
        found = existing(creates, Clouds(neon, vercel))
    if found:
        take_over(stack, creates, [one.candidate for one in found])
        settle(stack, [one.candidate for one in found])
    else:
        print("Nothing to take over: nothing of what this stack would create exists yet.")
    for one in found:
        print(f"{one.candidate}: taken over as {one.candidate.id}")
    for note in (one.note for one in found if one.note):
        print(f"Note: {note}.")
    print(f"Now: pulumi preview -s {stack.name}")
