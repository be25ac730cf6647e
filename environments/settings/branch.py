"""What a stack file says of one branch: where it comes from, how large it is, what shall become of it."""

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
    """One branch that this environment owns. Where it comes from is settled once it is made.

    `name` is its name in Neon where that is not its key: it is renamed in place. `adopt` says that it was there before
    this environment, under that name. `compute` is its own size, whether it serves or not. `logins: keep` leaves the
    owner's password and other logins as they are. `retire` lets it be dropped, with its rows; `release` lets it be
    dropped from this stack alone: it lives on, for another stack to adopt. `expires` makes it temporary: Neon deletes
    it after that time; `schema_only` makes such a branch without its source's rows.

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
            raise broken("a branch that is adopted is cloned from nothing", "Remove from and at, or adopt")
        if self.adopt and self.expires:
            raise broken("a branch that is adopted can't be temporary", "Remove expires, or adopt")
        return self

    @model_validator(mode="after")
    def _cloned_or_copied(self) -> Self:
        if bool(self.project) != bool(self.copied_by):
            raise broken(
                "a branch in another Neon project is filled by dump and restore", "Give project and copy: dump"
            )
        if self.project and not self.source:
            raise broken("a branch that is filled by dump and restore says from which one", "Add from")
        if self.project and (self.at or self.expires):
            raise broken(
                "a dump holds what is there when it is made, and is kept",
                "Remove at and expires, or copy a branch that was cloned at that moment",
            )
        return self

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.retire and self.release:
            raise broken("a branch is either retired, with its rows, or released, and lives on", "Keep one of them")
        return self

    @model_validator(mode="after")
    def _temporary(self) -> Self:
        if self.schema_only and (not self.expires or self.at):
            raise broken(
                "a branch without rows is a temporary one, made of its source as it is", "Add expires: 7d, remove at"
            )
        if self.expires and self.protected:
            raise broken("Neon lets no protected branch expire", "Remove expires, or protected")
        return self
