"""A scratch branch of the served one: production's rows and production's compute, for an hour at most.

It is deleted when the block ends. What a crash leaves is deleted by the next run, and by Neon when its hour is over.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from environments.clients.neon import Address, Neon

_LIFE = timedelta(hours=1)
_SUSPEND_SECONDS = 300
_NAME = re.compile(r"rehearsal-of-(\S+)-[0-9a-f]{8}")


@contextmanager
def scratch_branch(neon: Neon, served: Address) -> Iterator[Address]:
    """Make a copy of the branch of `served`, as it is at this moment, and delete it afterwards."""
    computes = {found.id: found for found in neon.endpoints(served.project, served.branch)}
    serving = computes[served.endpoint]
    size = {"autoscaling_limit_min_cu": serving.min_cu, "autoscaling_limit_max_cu": serving.max_cu}
    name = f"rehearsal-of-{served.branch}-{secrets.token_hex(4)}"
    wanted = {"name": name, "parent_id": served.branch, "expires_at": expiry(_LIFE)}
    made, endpoint = neon.make_branch(served.project, wanted, size | {"suspend_timeout_seconds": _SUSPEND_SECONDS})
    try:
        yield replace(served, branch=made.id, endpoint=endpoint)
    finally:
        neon.delete_branch(served.project, made.id)


def delete_leftovers(neon: Neon, served: Address) -> list[str]:
    """Delete the scratch branches that a crash left, and return their names; call it under the lock."""
    left = []
    for found in neon.branches(served.project):
        match = _NAME.fullmatch(found.name)
        if match and match[1] == served.branch == found.parent_id:
            neon.delete_branch(served.project, found.id)
            left.append(found.name)
    return left


def expiry(life: timedelta) -> str:
    """Return the moment at which a branch made now ends, as Neon writes it."""
    return (datetime.now(UTC) + life).strftime("%Y-%m-%dT%H:%M:%SZ")
