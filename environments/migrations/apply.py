"""What `pulumi up` does to bring a schema to what the migrations folder says, step by step, under one lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments import log
from environments.clients.app_files import app_digest
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, connected
from environments.cutover.review import is_known
from environments.migrations.checks.judge import JudgeOptions, Verdict, judge
from environments.migrations.checks.lint import LintError
from environments.migrations.checks.untracked_tables import made_otherwise
from environments.migrations.drizzle.kit import end_sessions
from environments.migrations.limits import Limits
from environments.migrations.lock import locked
from environments.migrations.model import BrokenMigrationsError
from environments.migrations.rehearsal import is_valid, receipt_digest, rehearse, told_of
from environments.migrations.render import told
from environments.migrations.restore_point import Copy, find_restore_point, make_restore_point, undone
from environments.migrations.result import MigrationFailedError, Run
from environments.migrations.run import Pending, applied, run_pending
from environments.migrations.scratch_branch import delete_leftovers
from environments.migrations.tools import tool_for
from environments.props import encode

if TYPE_CHECKING:
    from environments.migrations.lock import Lock

_LOCK_SECONDS = 30.0
"""For the lock of another migration; it holds that until its rehearsal and run are over."""

_UNKNOWABLE = (BrokenMigrationsError, LintError, MigrationFailedError, *UNREACHABLE)
"""What it raises to judge a folder against a database."""

_KEPT = ("applied", "receipt", "restore_point", "way_back", "ran")


def migrate(props: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Run what is pending as `props` say, and return the resource's outputs; `olds` are the earlier ones.

    Raises MigrationFailedError, with the schema as it was.
    """
    kept = {key: olds.get(key) for key in _KEPT}
    if not props["folder"]:
        return props | kept | {"pending": []}
    folder, limits = Path(props["folder"]), limits_of(props["settings"])
    if app_digest(folder) != props["digest"]:
        raise MigrationFailedError(f"the files in {folder} changed while this ran", remedy="Run pulumi up again")
    tool = tool_for(folder, props["settings"]["table"])
    with Neon() as neon:
        served = address_of(props)
        url = neon.uri(served, pooled=False)
        with locked(url, _LOCK_SECONDS) as lock:
            # Whoever ran these held the lock, so its runner is gone.
            end_sessions(url, limits)
            delete_leftovers(neon, served)
            todo = Pending(tool, folder, url, limits)
            if not todo.pending:
                return props | kept | {"pending": []} | _found(neon, served, todo, props, olds)
            _refuse(_judge(todo, props["settings"]))
            done = _Run(neon, served, todo, limits, props)
            return props | kept | done.outputs(lock, olds)


def verdict_of(props: dict[str, Any]) -> Verdict:
    """Return what is pending and what speaks against it, asked of the served branch as it is.

    Raises BrokenMigrationsError, LintError, MigrationFailedError, or what it raises to ask a database.
    """
    settings = props["settings"]
    folder = Path(props["folder"])
    tool = tool_for(folder, settings["table"])
    migrations = tool.read(folder)
    with Neon() as neon:
        url = neon.uri(address_of(props), pooled=False)
    ran = applied(tool, url, limits_of(settings))
    verdict = judge(migrations, ran, tool, _options(settings))
    if ran or not verdict.pending:
        return verdict
    with connected(url) as connection:
        others = made_otherwise(connection, verdict.statements)
    return replace(verdict, refusals=(*others, *verdict.refusals))


def judged(props: dict[str, Any], olds: dict[str, Any]) -> tuple[list[str], str]:
    """Return why nothing may run, and what the reviewer is told; `olds` are the earlier inputs."""
    folder = Path(props["folder"])
    try:
        if refusal := _again(props, olds):
            return [refusal], ""
        if not (is_known(props["branch"]) and is_known(props["endpoint"])):
            count = len(tool_for(folder, props["settings"]["table"]).read(folder))
            return [], f"migrations: which of {count} are pending on {props['name']} is known once it is there"
        verdict = verdict_of(props)
    except _UNKNOWABLE as error:
        return [f"the migrations in {folder} can't be judged: {error}"], ""
    if verdict.refusals:
        return [f"migration refused: {refusal}" for refusal in verdict.refusals], ""
    return [], told(verdict) if verdict.pending or verdict.cautions else ""


def pending_tags(props: dict[str, Any]) -> list[str]:
    """Return what is pending on the served branch as it is; what was, with a warning, where that can't be told."""
    try:
        return [each.tag for each in verdict_of(props).pending]
    except _UNKNOWABLE as error:
        log.warn(f"which migrations are pending on {props['name']} can't be told: {error}")
        return list(props["pending"])


def address_of(props: dict[str, Any]) -> Address:
    """Return where the served branch's database is."""
    return Address(*(props[key] for key in ("project", "branch", "endpoint", "database", "owner")))


def limits_of(settings: dict[str, Any]) -> Limits:
    """Return how long a migration may take."""
    return Limits(
        lock=float(settings["lock_timeout"]),
        statement=float(settings["statement_timeout"]),
        run=float(settings["run_timeout"]),
    )


class _Run:
    """One run of what is pending: rehearsal, restore point, the run itself."""

    def __init__(self, neon: Neon, served: Address, todo: Pending, limits: Limits, props: dict[str, Any]) -> None:
        self._neon, self._served, self._todo, self._limits = neon, served, todo, limits
        self._name, self._settings = props["name"], props["settings"]

    def outputs(self, lock: Lock, olds: dict[str, Any]) -> dict[str, Any]:
        """Return what the run adds to the resource's outputs."""
        receipt = self._rehearsed(olds.get("receipt"))
        waiting = [migration.tag for migration in self._todo.pending]
        if self._settings["stop_after_rehearsal"]:
            log.info(
                f"{self._name}: rehearsed and not run, since stop_after_rehearsal is set; pending: {', '.join(waiting)}"
            )
            return {"pending": waiting, "receipt": receipt}
        lock.require()
        with connected(self._todo.url) as connection:
            days = float(self._settings["restore_point_days"])
            point = make_restore_point(self._neon, connection, self._served, waiting[0], days)
        way_back = point.edit(self._name)
        try:
            run = run_pending(self._todo, self._limits)
        except MigrationFailedError as error:
            kept = "its schema is as it was" if self._todo.tool.single_transaction else "the files before it stay"
            raise MigrationFailedError(f"{self._name} was not migrated, {kept}: {error}") from None
        self._tell(run, receipt, way_back)
        return {
            "pending": [],
            "applied": list(run.applied),
            "receipt": receipt,
            "restore_point": encode(point),
            "way_back": way_back,
            "ran": _ran(run),
        }

    def _rehearsed(self, receipt: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the receipt of a rehearsal of exactly this: the one that is there, or one that is made by it."""
        if not self._settings["rehearse"]:
            return None
        if is_valid(receipt, receipt_digest(self._todo, self._served.branch, self._limits)):
            return receipt
        try:
            fresh = rehearse(self._neon, self._served, self._todo, self._limits)
        except MigrationFailedError as error:
            raise MigrationFailedError(
                f"the rehearsal on a copy of {self._name} failed, {self._name} itself is untouched: {error}"
            ) from None
        log.info(f"{self._name}: {told_of(fresh)}")
        return fresh.props()

    def _tell(self, run: Run, receipt: dict[str, Any] | None, way_back: str) -> None:
        rehearsed = f" ({receipt['seconds']:.2f} s in the rehearsal)" if receipt else ""
        tags = ", ".join(run.applied)
        log.info(f"{self._name}: {tags} applied in {run.seconds:.2f} s{rehearsed}. The way back: {way_back}")
        if run.warning:
            log.warn(f"{self._name}: {run.warning}")


def _again(props: dict[str, Any], olds: dict[str, Any]) -> str:
    """Return that this would undo a migration and run it once more, if the branch goes back to before it, or nothing.

    Once that branch serves, the same files are pending on it like any others.
    """
    moved = is_known(olds.get("branch")) and olds["branch"] != props["branch"]
    back = props["source"] == olds.get("name") and props["at"]
    adopted = is_known(props["branch"]) and not props["source"]
    if not (moved and (back or adopted)):
        return ""
    folder, name = props["folder"], props["name"]
    tags = [migration.tag for migration in tool_for(Path(folder), props["settings"]["table"]).read(Path(folder))]
    with Neon() as neon:
        copy = Copy(props["branch"], props["at"] if back else "")
        tag = undone(neon, props["project"], olds["branch"], copy, tags)
    if not tag:
        return ""
    return (
        f"{name} is {olds['name']} as it was before {tag}, and {folder} still holds {tag}, which this pulumi up would "
        f"run again on it. Take {tag} and what came after it out of the folder and its journal; once {name} serves, it "
        "may come back, mended or as it was"
    )


def _judge(todo: Pending, settings: dict[str, Any]) -> Verdict:
    return judge(todo.migrations, todo.applied, todo.tool, _options(settings))


def _refuse(verdict: Verdict) -> None:
    if verdict.refusals:
        raise MigrationFailedError("\n".join(f"migration refused: {refusal}" for refusal in verdict.refusals))


def _options(settings: dict[str, Any]) -> JudgeOptions:
    return JudgeOptions(
        level=settings["level"],
        excluded_rules=tuple(settings["excluded_rules"]),
        allow_data_loss=tuple(settings["allow_data_loss"]),
        postgres=int(settings["postgres"]),
    )


def _found(neon: Neon, served: Address, todo: Pending, props: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Return the restore point of a run that was cut short after it had applied everything, if there is one."""
    if olds and all(olds.get(key) == props[key] for key in ("branch", "folder", "digest")):
        return {}
    point = find_restore_point(neon, served, [migration.tag for migration in todo.migrations])
    known = (olds.get("restore_point") or {}).get("id")
    if point is None or point.id == known:
        return {}
    return {"restore_point": encode(point), "way_back": point.edit(props["name"])}


def _ran(run: Run) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "statements": [
            {"file": each.file, "number": each.number, "seconds": round(each.seconds, 3)} for each in run.statements
        ],
    }
