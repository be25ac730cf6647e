"""How the pointer may move: one model per strategy, told apart by `kind`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class CloneAndPromote(BaseModel):
    """Blue/green: production moves to a new branch cloned from dev; the old branch stays as the way back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["clone-and-promote"]


Strategy = CloneAndPromote
