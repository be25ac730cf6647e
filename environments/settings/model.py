"""What the stack file of one environment says, as plain frozen values without Pulumi."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from environments.settings.branch import BranchSettings, ComputeSettings, Source, Strict
from environments.settings.errors import broken
from environments.settings.names import (
    BranchName,
    EnvironmentName,
    GitBranch,
    Identifier,
    NeonProjectId,
    ProjectName,
    VercelProjectId,
)
from environments.settings.strategy import CloneAndPromote, Strategy
from environments.settings.values import Timeout


def _relative(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not path:
        raise broken("the app's folder must be inside the project", "Write it relative to Pulumi.yaml, for example app")
    return path


def _url_path(path: str) -> str:
    if not path.startswith("/") or any(character.isspace() for character in path):
        raise broken("the path of a health check starts with '/'", "Write for example /health")
    return path


def _pointer(value: object) -> object:
    return {"branch": value} if isinstance(value, str) else value


def _empty(value: object) -> object:
    return {} if value in (None, "") else value


class ProjectSettings(Strict):
    """Either the name under which dev makes both projects, or the ids of the ones to use."""

    name: ProjectName | None = None
    region: str = "aws-eu-central-1"
    postgres: Annotated[int, Field(ge=14, le=18)] = 18
    neon: NeonProjectId | None = None
    vercel: VercelProjectId | None = None

    @model_validator(mode="after")
    def _made_or_adopted(self) -> Self:
        if self.name and (self.neon or self.vercel):
            raise broken(
                "projects are either made by a name or used by their ids", "Keep name, or keep neon and vercel"
            )
        if bool(self.neon) != bool(self.vercel):
            raise broken("the ids of Neon's and of Vercel's project belong together", "Write both ids")
        return self


class DatabaseSettings(Strict):
    """The database that the app uses, and the role that owns it."""

    name: Identifier = "neondb"
    owner: Identifier = "neondb_owner"


class HealthSettings(Strict):
    """What a deployment must answer before and after it gets the domain.

    `database: false` says that the health check asks no database. Nothing then proves which database the app uses.
    """

    path: Annotated[str, AfterValidator(_url_path)] = "/health"
    status: Annotated[int, Field(ge=100, le=599)] = 200
    database: bool = True


class AppSettings(Strict):
    """The app that this environment deploys, and how its health shows.

    Either the files of a folder, or, with `redeploy`, what a git-connected project has in production already: Vercel
    builds it again, with the new database.
    """

    path: Annotated[str, AfterValidator(_relative)] | None = None
    redeploy: bool = False
    health: HealthSettings = HealthSettings()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.redeploy == bool(self.path):
            raise broken("an app is either the files of a folder or a redeploy", "Write path, or redeploy: true")
        return self


class SafetySettings(Strict):
    """What a move of the pointer may cost.

    `rows_left_behind` is how many rows that visitors wrote may stay on the branch that the pointer leaves. In phase
    `live` the pointer moves only to a restore of the branch that serves. `fence` says whether writes to the branch that
    is left are stopped before the domain moves (a short write pause, an exact count) or after (no pause). A pause that
    would last longer than `write_pause` ends: the move is undone. `other_writers` are logins, functions and the like
    that may go on writing to a branch that the pointer leaves; any other one stops the move. `fewer_rights` lists the
    tables, schemas, sequences, functions and roles of which the app's login may see or do less than the login before,
    as SQL writes their names. `protected` sets Neon's own protection on this environment's branches, which a paid plan
    allows for a few.
    """

    phase: Literal["beta", "live"] = "beta"
    rows_left_behind: Annotated[int, Field(ge=0)] = 0
    fence: Literal["before", "after"] = "before"
    write_pause: Timeout = 10
    other_writers: tuple[str, ...] = ()
    fewer_rights: tuple[str, ...] = ()
    protected: bool = False


class AcceptSettings(Strict):
    """Allow the pointer to leave `branch` although up to `rows` rows exist only there.

    `any` allows it also where the rows can't be counted.
    """

    branch: BranchName
    rows: Annotated[int, Field(ge=0)] | Literal["any"]


class Settings(Strict):
    """One environment: the branches that it owns, and the one that it serves to its Vercel targets.

    `environment` is its name for ever, by default its stack's: its logins and markers bear the name, and other stack
    files say `stack: <name>`. A stack that is renamed keeps it here. (A setting called `name` would name the plugin,
    since the engine gives all settings of this namespace to the plugin of that name.)
    `git_branch` is the one whose preview deployments use this environment. `credentials` is the generation of the
    app's login: add one to rotate it.
    """

    environment: EnvironmentName | None = None
    target: Literal["production", "preview", "development"]
    git_branch: GitBranch | None = None
    project: ProjectSettings = ProjectSettings()
    branches: dict[
        BranchName, Annotated[BranchSettings, BeforeValidator(_empty, json_schema_input_type=BranchSettings | None)]
    ]
    serve: Annotated[Source, BeforeValidator(_pointer, json_schema_input_type=BranchName | Source)]
    strategy: Strategy = CloneAndPromote(kind="clone-and-promote")
    compute: ComputeSettings = ComputeSettings()
    database: DatabaseSettings = DatabaseSettings()
    credentials: Annotated[int, Field(ge=1)] = 1
    app: AppSettings | None = None
    safety: SafetySettings = SafetySettings()
    accept: AcceptSettings | None = None
