"""What a stack file says of one branch: where it comes from, how large it is, what becomes of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from environments.settings.errors import broken
from environments.settings.names import BranchName, NeonProjectId
from environments.settings.values import At, ComputeUnits, Lifetime, Suspend

WIDEST_AUTOSCALING = 8
"""CU between min_cu and max_cu: Neon's limit."""

SMALLEST_CU = 0.25
DEFAULT_SUSPEND = 300
"""Seconds; also what a branch that no longer serves suspends after."""


class Strict(BaseModel):
    """A model that takes no key that it doesn't know, and whose values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Strict):
    """Where a branch comes from or a pointer leads to: a branch of this stack, or of another one."""

    stack: Annotated[str, Field(min_length=1)] | None = None
    branch: BranchName


class ComputeSettings(Strict):
    """The size of a compute, in Neon's compute units (1 CU is 1 vCPU and 4 GB), and when it suspends."""

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


class BranchSettings(Strict):
    """One branch that this environment owns. Once it is made, its source can't change.

    `name` is its name in Neon where that is not its key: it is renamed in place. `adopt` says that Neon has the branch
    already, under that name. `compute` is its own size, whether it serves or not. `logins: keep` leaves the owner's
    password and other logins as they are. `retire` allows you to drop its line: Neon then deletes the branch with its
    rows. `release` allows you to drop its line and to keep the branch: another stack may adopt it. `expires` makes it
    temporary: Neon deletes it after that time. `schema_only` makes a temporary branch without its source's rows.

    A branch is cloned within its source's Neon project. In another `project`, which is how a newer Postgres is reached,
    it is filled by dump and restore: `copy: dump`.
    """

    source: Source | None = Field(default=None, alias="from")
    at: At | None = None
    name: BranchName | None = None
    adopt: bool = False
    compute: ComputeSettings | None = None
    protected: bool | None = None
    logins: Literal["shut", "keep"] = "shut"
    retire: bool = False
    release: bool = False
    expires: Lifetime | None = None
    schema_only: bool = False
    project: NeonProjectId | None = None
    copied_by: Literal["dump"] | None = Field(default=None, alias="copy")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.adopt and (self.source or self.at):
            raise broken(
                "an adopted branch exists already and has no source here", "Remove from and at, or remove adopt"
            )
        if self.adopt and self.expires:
            raise broken("an adopted branch can't be temporary", "Remove expires, or remove adopt")
        return self

    @model_validator(mode="after")
    def _cloned_or_copied(self) -> Self:
        if bool(self.project) != bool(self.copied_by):
            raise broken(
                "a branch in another Neon project is filled by dump and restore",
                "Write both project and copy: dump, or neither of them",
            )
        if self.project and not self.source:
            raise broken("a branch that is filled by dump and restore needs a source", "Add from: {branch: prod-v1}")
        if self.project and (self.at or self.expires):
            raise broken(
                "a dump holds the rows of the moment when it is made, and the branch stays",
                "Remove at and expires. For the rows of an earlier moment, copy a clone that is made at that moment",
            )
        return self

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.retire and self.release:
            raise broken("retire deletes a branch with its rows, and release keeps it", "Keep one of the two lines")
        return self

    @model_validator(mode="after")
    def _temporary(self) -> Self:
        if self.schema_only and (not self.expires or self.at):
            raise broken(
                "a branch without rows is temporary, and has the tables that its source has today",
                "Add expires: 7d, and remove at",
            )
        if self.expires and self.protected:
            raise broken("a branch that Neon protects can't expire", "Remove expires, or remove protected")
        return self
