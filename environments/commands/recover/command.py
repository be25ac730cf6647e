"""The command: `python -m recovery -s STACK`. Changes state only; what it finds in the clouds it leaves as it is."""

from __future__ import annotations

import argparse
import os
import sys

from environments.clients import pulumi as engine
from environments.clients.credentials import CredentialsError, require_credentials
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.neon import Neon
from environments.clients.vercel import Vercel
from environments.commands.recover.pending import AmbiguousError, begun_at, made, pending_creates


def recover(stack: str, *, unlock: bool) -> None:
    """Take over what was made, forget what wasn't, and look at everything else as it really is."""
    if engine.mend_backend():
        print("The engine was killed while it wrote to its backend: what it left half-written is put right.")
    if engine.unlock(stack, force=unlock):
        print("The engine that held the lock is gone: lock taken away.")
    checkpoint = engine.export(stack)
    taken: dict[str, str] = {}
    with Neon() as neon, Vercel() as vercel:
        begun = begun_at(checkpoint)
        for create in pending_creates(checkpoint):
            found = made(create, neon, vercel, begun)
            print(f"{create.name} ({create.type}): {f'made, taken over as {found}' if found else 'will be made again'}")
            if found:
                taken[create.urn] = found
    engine.take_over(stack, checkpoint, taken)
    engine.refresh(stack)
    print(f"Recovered. Now: pulumi up -s {stack}")


def main() -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m recovery", description=__doc__)
    parser.add_argument("-s", "--stack", required=True, help="the stack whose pulumi up did not come to its end")
    parser.add_argument("--unlock", action="store_true", help="take the lock away: the engine that held it is gone")
    options = parser.parse_args()
    try:
        require_credentials(os.environ)
        recover(options.stack, unlock=options.unlock)
    except (AmbiguousError, ApiError, ApiUnreachableError, CredentialsError, engine.EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
