"""What one environment's stack file says: plain frozen values, no Pulumi in sight."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from components.settings.errors import broken
from components.settings.names import BranchName, Identifier, NeonProjectId, ProjectName, VercelProjectId
from components.settings.strategy import Strategy
from components.settings.values import At, ComputeUnits, Suspend

WIDEST_AUTOSCALING = 8
"""CU between min_cu and max_cu: Neon's limit."""

SMALLEST_CU = 0.25
DEFAULT_SUSPEND = 300
"""Seconds; also what a branch that no longer serves suspends after."""


def _relative(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not path:
        raise broken("the app's folder lies inside the project", "Write it relative to Pulumi.yaml, for example app")
    return path


def _url_path(path: str) -> str:
    if not path.startswith("/") or any(character.isspace() for character in path):
        raise broken("a health check asks for a path that starts with '/'", "Write for example /health")
    return path


def _pointer(value: object) -> object:
    return {"branch": value} if isinstance(value, str) else value


def _empty(value: object) -> object:
    return {} if value in (None, "") else value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Model):
    """Where a branch comes from or a pointer leads to: a branch of this stack, or of another one."""

    stack: Annotated[str, Field(min_length=1)] | None = None
    branch: BranchName


class BranchSettings(_Model):
    """One branch that this environment owns. Immutable once made: for another source, add another branch.

    A branch is cloned within its source's Neon project. In another `project`, which is how a newer Postgres is reached,
    it is filled by dump and restore: `copy: dump`.
    """

    source: Source | None = Field(default=None, alias="from")
    at: At | None = None
    project: NeonProjectId | None = None
    copied_by: Literal["dump"] | None = Field(default=None, alias="copy")

    @model_validator(mode="after")
    def _cloned_or_copied(self) -> Self:
        if bool(self.project) != bool(self.copied_by):
            raise broken(
                "a branch in another Neon project is filled by dump and restore", "Give project and copy: dump"
            )
        if self.project and not self.source:
            raise broken("a branch that is filled by dump and restore says from which one", "Add from")
        if self.project and self.at:
            raise broken(
                "a dump holds what is there when it is made", "Remove at, or copy a branch that was cloned at it"
            )
        return self


class ProjectSettings(_Model):
    """Either the name under which dev makes both projects, or the ids of the ones to use."""

    name: ProjectName | None = None
    region: str = "aws-eu-central-1"
    postgres: Annotated[int, Field(ge=14, le=18)] = 18
    neon: NeonProjectId | None = None
    vercel: VercelProjectId | None = None

    @model_validator(mode="after")
    def _made_or_adopted(self) -> Self:
        if self.name and (self.neon or self.vercel):
            raise broken("a project is either made by name or used by id", "Keep name, or neon and vercel")
        if bool(self.neon) != bool(self.vercel):
            raise broken("Neon's and Vercel's project belong together", "Give both ids")
        return self


class ComputeSettings(_Model):
    """The size of the served branch's compute, in Neon's compute units (1 CU is 1 vCPU and 4 GB)."""

    min_cu: ComputeUnits = SMALLEST_CU
    max_cu: ComputeUnits | None = None
    suspend: Suspend = DEFAULT_SUSPEND

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.min_cu > self.largest:
            raise broken(f"min_cu {self.min_cu:g} is above max_cu {self.largest:g}", "Raise max_cu or lower min_cu")
        if self.largest - self.min_cu > WIDEST_AUTOSCALING:
            raise broken(
                f"{self.min_cu:g} to {self.largest:g} CU is wider than the {WIDEST_AUTOSCALING} CU that Neon allows",
                "Bring min_cu and max_cu closer together",
            )
        return self

    @property
    def largest(self) -> float:
        """The upper end of autoscaling; min_cu where none is given."""
        return self.min_cu if self.max_cu is None else self.max_cu


class DatabaseSettings(_Model):
    """The database that the app uses, and the role that owns it."""

    name: Identifier = "neondb"
    owner: Identifier = "neondb_owner"


class HealthSettings(_Model):
    """What a deployment must answer before and after it gets the domain."""

    path: Annotated[str, AfterValidator(_url_path)] = "/health"
    status: Annotated[int, Field(ge=100, le=599)] = 200


class AppSettings(_Model):
    """The app that this environment deploys, and how its health shows.

    Either the files of a folder, or, with `redeploy`, what a git-connected project has in production already, built
    anew with the new database.
    """

    path: Annotated[str, AfterValidator(_relative)] | None = None
    redeploy: bool = False
    health: HealthSettings = HealthSettings()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.redeploy == bool(self.path):
            raise broken("an app is either the files of a folder or a redeploy", "Give path, or redeploy: true")
        return self


class SafetySettings(_Model):
    """What a move of the pointer may cost.

    `rows_left_behind` is how many rows that visitors wrote may stay on the branch that the pointer leaves. In phase
    `live` the pointer moves only to a restore of the branch that serves. `fence` says whether writes to the branch that
    is left are stopped before the domain moves (a short write pause, an exact count) or after (no pause).
    """

    phase: Literal["beta", "live"] = "beta"
    rows_left_behind: Annotated[int, Field(ge=0)] = 0
    fence: Literal["before", "after"] = "before"


class AcceptSettings(_Model):
    """Leave that branch although it holds up to that many rows of its own; `any` also where they can't be counted."""

    branch: BranchName
    rows: Annotated[int, Field(ge=0)] | Literal["any"]


class Settings(_Model):
    """One environment: the branches that it owns, and the one that it serves to its Vercel targets.

    `credentials` is the generation of the app's login: add one to rotate it.
    """

    target: Literal["production", "development"]
    project: ProjectSettings = ProjectSettings()
    branches: dict[
        BranchName, Annotated[BranchSettings, BeforeValidator(_empty, json_schema_input_type=BranchSettings | None)]
    ]
    serve: Annotated[Source, BeforeValidator(_pointer, json_schema_input_type=BranchName | Source)]
    strategy: Strategy
    compute: ComputeSettings = ComputeSettings()
    database: DatabaseSettings = DatabaseSettings()
    credentials: Annotated[int, Field(ge=1)] = 1
    app: AppSettings | None = None
    safety: SafetySettings = SafetySettings()
    accept: AcceptSettings | None = None
