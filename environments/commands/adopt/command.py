"""The command: `python -m adoption -s STACK`. Changes the stack's state only; nothing in the clouds."""

from __future__ import annotations

import argparse
import os
import sys

from environments.clients import pulumi as engine
from environments.clients.credentials import CredentialsError, require_credentials
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.neon import Neon
from environments.clients.vercel import Vercel
from environments.commands.adopt.existing import InTheWayError, already_there, creates
from environments.commands.adopt.import_file import import_file
from environments.commands.recover.pending import pending_creates


class UnfinishedError(Exception):
    """An update of the stack did not come to its end."""


def adopt(stack: str) -> None:
    """Take over what the stack would create and is there already."""
    if pending_creates(engine.export(stack)):
        raise UnfinishedError(f"an update of {stack} was cut short: run python -m recovery -s {stack} first")
    wanted = creates(engine.preview(stack))
    with Neon() as neon, Vercel() as vercel:
        found = already_there(wanted, neon, vercel)
    if found:
        engine.take_in(stack, import_file(wanted, found))
    else:
        print("Nothing to take over: all that this stack would create is still to be made.")
    for there in found:
        print(f"{there.create.name} ({there.create.type}): taken over as {there.id}")
    for note in (there.note for there in found if there.note):
        print(f"Note: {note}.")
    print(f"Now: pulumi preview -s {stack}")


def main() -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m adoption", description=__doc__)
    parser.add_argument("-s", "--stack", required=True, help="the stack that shall own what is there")
    options = parser.parse_args()
    try:
        require_credentials(os.environ)
        adopt(options.stack)
    except (
        ApiError,
        ApiUnreachableError,
        CredentialsError,
        InTheWayError,
        UnfinishedError,
        engine.EngineError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
