"""Neon projects that were made twice: told as soon as one of them gets its first branch.

The provider makes a project and then asks for its password. Throttled at that (429), it does all of it again, and of
the projects that it made before it knows nothing any more. They are empty, and cost what an empty project costs.
"""

from __future__ import annotations

from datetime import timedelta

from environments import log
from environments.clients.neon import Neon
from environments.ids import NeonProject

_TOGETHER = timedelta(hours=1)
"""A project of the same name that is older or younger than this was made on purpose."""


def warn_of_twins(project: NeonProject) -> None:
    """Warn of the projects that were made along with `project` and bear its name."""
    with Neon() as neon:
        own = neon.project(project)
        named = [found for found in neon.projects(own.name) if found.id != project]
    born = own.created_at
    twins = [found.id for found in named if abs(found.created_at - born) < _TOGETHER]
    if twins:
        log.warn(
            f"Neon project {own.name} was made more than once, since Neon was too busy to answer: this stack uses "
            f"{project}, and nothing uses {', '.join(twins)}. Delete that in Neon's console"
        )
