"""Neon projects that were created twice: the stack warns as soon as one of them gets its first branch.

The provider creates a project and then asks for its password. If Neon is too busy to answer (429), the provider does
all of it again and forgets the projects that it created before. They are empty, and cost what an empty project costs.
"""

from __future__ import annotations

from datetime import timedelta

from environments import log
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.neon import Neon
from environments.ids import NeonProject

_TOGETHER = timedelta(hours=1)
"""A project of the same name that is older or younger than this was created on purpose."""


def warn_of_duplicate_projects(project: NeonProject) -> None:
    """Warn of the projects that were created along with `project` and have its name.

    A warning never fails an update: where Neon doesn't answer, it says only that.
    """
    try:
        with Neon() as neon:
            own = neon.project(project)
            named = [found for found in neon.projects(own.name) if found.id != project]
    except (ApiError, ApiUnreachableError) as error:
        log.warn(f"Neon didn't say whether it created project {project} more than once: {error}")
        return
    duplicates = [found.id for found in named if abs(found.created_at - own.created_at) < _TOGETHER]
    if duplicates:
        log.warn(
            f"Neon project {own.name} was made more than once, since Neon was too busy to answer: this stack uses "
            f"{project}, and nothing uses {', '.join(duplicates)}. Delete that in Neon's console"
        )
