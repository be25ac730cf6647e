"""How the pointer may move: one model per strategy, told apart by `kind`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from environments.settings.errors import broken
from environments.settings.values import Timeout


def _folder(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not path:
        raise broken(
            "the folder of migrations must be inside the project", "Write it relative to Pulumi.yaml, as app/drizzle"
        )
    return path


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CloneAndPromote(_Kind):
    """Blue/green: production moves to a new branch cloned from dev; the old branch stays as the way back."""

    kind: Literal["clone-and-promote"]


class PointerSwap(_Kind):
    """Production points to dev's own branch: nothing is copied."""

    kind: Literal["pointer-swap"]


class StandardMigration(_Kind):
    """The pointer stays; the schema changes by the migrations in a folder.

    A migration is refused for squawk's findings of the level `lint` and above, but for the rules in `lint_excluded`.
    `allow_data_loss` names the migrations that may lose data. A statement waits up to `lock_timeout` for a lock and
    runs up to `statement_timeout`, all of them together up to `run_timeout`. With `rehearse` they run on a copy first;
    with `stop_after_rehearsal` they run only there. The restore point is kept for `restore_point_days`. `table` is
    where drizzle notes what it applied, if that isn't its default.
    """

    kind: Literal["standard-migration"]
    migrations: Annotated[str, AfterValidator(_folder)] = "app/drizzle"
    lint: Literal["off", "warning", "error"] = "error"
    lint_excluded: tuple[str, ...] = ()
    allow_data_loss: tuple[str, ...] = ()
    lock_timeout: Timeout = 5
    statement_timeout: Timeout = 300
    run_timeout: Timeout = 900
    rehearse: bool = True
    stop_after_rehearsal: bool = False
    restore_point_days: Annotated[int, Field(ge=1, le=30)] = 7
    table: str = "drizzle.__drizzle_migrations"


KINDS: dict[str, type[_Kind]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model
    for model in (CloneAndPromote, PointerSwap, StandardMigration)
}


def left_over(strategy: Any) -> list[str]:
    """Return the keys of `strategy`, as it is written, that belong to another kind.

    `pulumi config set --path strategy.kind pointer-swap` leaves them behind: they have no effect.
    """
    model = KINDS.get(strategy.get("kind", "")) if isinstance(strategy, Mapping) else None
    if model is None:
        return []
    known = {key for other in KINDS.values() for key in other.model_fields}
    return sorted(key for key in strategy if key in known and key not in model.model_fields)


def _without_left_over(strategy: Any) -> Any:
    left = left_over(strategy)
    return {key: value for key, value in strategy.items() if key not in left} if left else strategy


Strategy = Annotated[
    Annotated[CloneAndPromote | PointerSwap | StandardMigration, Field(discriminator="kind")],
    BeforeValidator(_without_left_over),
]
