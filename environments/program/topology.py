"""What must exist for the stack that runs: its settings, the app's files and other stacks' exports, put together."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from environments.clients.app_files import app_digest
from environments.clients.credentials import require_credentials
from environments.clients.stack_files import renamed_stacks
from environments.errors import EnvironmentsError
from environments.ids import StackName
from environments.plan.plan import Digests, folders, foreign_stacks, plan
from environments.plan.topology import Topology
from environments.program import review
from environments.program.other_stacks import read_exports
from environments.program.stack_file import read_stack


def read_topology() -> Topology:
    """Return what must exist for the stack that runs.

    Folders in the stack file are below the working directory, which is the program's. Raises pulumi.RunError, which
    Pulumi shows as its text alone, for wrong settings, a missing token, or another stack that can't be read. The review
    of this run begins here.
    """
    stack = pulumi.get_stack()
    review.begin(StackName(stack))
    try:
        return _topology(stack)
    except EnvironmentsError as error:
        raise review.refusal(error) from None


def _topology(stack: str) -> Topology:
    require_credentials(os.environ)
    settings = read_stack(stack)
    name = settings.environment or stack
    digests = Digests(**{name: app_digest(Path(folder)) for name, folder in folders(settings).items()})
    others = foreign_stacks(settings, name)
    renamed = renamed_stacks(Path(), pulumi.get_project()) if others else {}
    return plan(settings, name, read_exports({other: renamed.get(other, other) for other in others}), digests)
