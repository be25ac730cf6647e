"""The marks that a deployment of ours bears at Vercel, in its `meta`: which branch it uses, and with which login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from environments.ids import BranchId, Fingerprint, NeonProject


@dataclass(frozen=True, kw_only=True)
class DeploymentMarks:
    """What a deployment says of its database; None where it says nothing, as one that isn't ours."""

    project: NeonProject | None
    branch: BranchId | None
    credentials: Fingerprint | None

    @classmethod
    def of(cls, meta: Mapping[str, str]) -> Self:
        """Read the `meta` of Vercel's API."""
        project, branch, credentials = (meta.get(key) for key in ("neonProject", "neonBranch", "credentials"))
        return cls(
            project=NeonProject(project) if project else None,
            branch=BranchId(branch) if branch else None,
            credentials=Fingerprint(credentials) if credentials else None,
        )
