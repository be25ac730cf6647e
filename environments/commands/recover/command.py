"""`environments recover`: changes the stack's state only; what it finds in the clouds it leaves as it is."""

from __future__ import annotations

import os

from environments.clients.credentials import require_credentials
from environments.clients.neon import Neon
from environments.clients.pulumi import Stack, Urn
from environments.clients.vercel import Vercel
from environments.commands.recover.carried_out import carried_out


def recover(stack: Stack, *, unlock: bool) -> None:
    """Take over what was made, forget what wasn't, and read everything else as it really is.

    `unlock` says that the engine which holds the stack's lock is gone for certain.
    """
    require_credentials(os.environ)
    if stack.repair_backend():
        print("The engine was killed while it wrote to its backend. What it left half-written is repaired.")
    if stack.unlock(force=unlock):
        print("The engine that held the lock is gone. Its lock is removed.")
    checkpoint = stack.export()
    found: dict[Urn, str] = {}
    with Neon() as neon, Vercel() as vercel:
        for create in checkpoint.pending_creates:
            id_ = carried_out(create, neon, vercel, checkpoint.written_at)
            what = f"was created, and is taken over as {id_}" if id_ else "was not created; pulumi up creates it"
            print(f"{create.name} ({create.token}) {what}")
            if id_:
                found[create.urn] = id_
    stack.settle(checkpoint, found)
    stack.refresh()
    print(f"Recovered. Now: pulumi up -s {stack.name}")
