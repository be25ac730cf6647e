"""The command: `python -m recovery -s STACK`. Changes state only; what it finds in the clouds it leaves as it is."""

from __future__ import annotations

import argparse
import os
import sys

from components.credentials import CredentialsError, require_credentials
from recovery import engine
from recovery.pending import AmbiguousError, made, pending_creates
from resources.http import ApiError, ApiUnreachableError
from resources.neon_api import Neon
from resources.vercel_api import Vercel


def recover(stack: str) -> None:
    """Take over what was made, forget what wasn't, and look at everything else as it really is."""
    if engine.unlock(stack):
        print("The engine that held the lock is gone: lock taken away.")
    checkpoint = engine.export(stack)
    taken: dict[str, str] = {}
    with Neon() as neon, Vercel() as vercel:
        for create in pending_creates(checkpoint):
            found = made(create, neon, vercel)
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
    stack = parser.parse_args().stack
    try:
        require_credentials(os.environ)
        recover(stack)
    except (AmbiguousError, ApiError, ApiUnreachableError, CredentialsError, engine.EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
