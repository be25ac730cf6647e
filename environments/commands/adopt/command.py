"""`environments adopt`: changes the stack's state only; nothing in the clouds."""

from __future__ import annotations

import os

from environments.clients.adopting import ADOPTING
from environments.clients.credentials import require_credentials
from environments.clients.neon import Neon
from environments.clients.pulumi import Stack
from environments.clients.vercel import Vercel
from environments.commands.adopt.existing import existing
from environments.commands.adopt.import_file import import_file
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
    creates = stack.creates({ADOPTING: "1"})
    with Neon() as neon, Vercel() as vercel:
        found = existing(creates, neon, vercel)
    if found:
        stack.take_in(import_file(creates, found))
    else:
        print("Nothing to take over: nothing of what this stack would create exists yet.")
    for one in found:
        print(f"{one.create.name} ({one.create.token}): taken over as {one.id}")
    for note in (one.note for one in found if one.note):
        print(f"Note: {note}.")
    print(f"Now: pulumi preview -s {stack.name}")
