"""Resources of the Neon and the Vercel provider, by the inputs from which they can be found again in the clouds.

Two of our own besides: what they say of a branch tells how to ask its database who made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from environments.ids import BranchId, DatabaseName, NeonProject, RoleName, VercelProject
from environments.props import Unknown

NEON_PROJECT: Final = "neon:index/project:Project"
NEON_BRANCH: Final = "neon:index/branch:Branch"
NEON_ENDPOINT: Final = "neon:index/endpoint:Endpoint"
VERCEL_PROJECT: Final = "vercel:index/project:Project"
VERCEL_VARIABLE: Final = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
BRANCH_SOURCE: Final = "environments:index:BranchSource"
APP_LOGIN: Final = "environments:index:AppLogin"


@dataclass(frozen=True, kw_only=True)
class ProjectInputs:
    """What is read of a project's inputs, Neon's and Vercel's alike."""

    name: str


@dataclass(frozen=True, kw_only=True)
class BranchInputs:
    """What is read of a branch's inputs. A branch without `parent_id` is a copy of the project's default branch."""

    project_id: NeonProject | Unknown
    name: str
    parent_id: BranchId | Unknown | None = None
    protected: Literal["yes", "no"] = "no"


@dataclass(frozen=True, kw_only=True)
class EndpointInputs:
    """What is read of a compute's inputs."""

    project_id: NeonProject | Unknown
    branch_id: BranchId | Unknown
    type: str


@dataclass(frozen=True, kw_only=True)
class VariableInputs:
    """What is read of an environment variable's inputs: all but its value."""

    project_id: VercelProject | Unknown
    key: str
    targets: tuple[str, ...]
    git_branch: str = ""


@dataclass(frozen=True, kw_only=True)
class BranchSourceInputs:
    """What is read of a branch's source: the app's database, and the role that owns it."""

    database: DatabaseName
    owner: RoleName


@dataclass(frozen=True, kw_only=True)
class AppLoginInputs:
    """What is read of a branch's login: the two roles that the environment's app has in turn."""

    roles: tuple[RoleName, ...]
