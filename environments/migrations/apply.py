"""What `pulumi up` does to bring a schema to what the migrations folder says, step by step, under one lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from environments import log
from environments.clients.app_files import app_digest
from environments.clients.neon import Address, Neon
from environments.clients.postgres import connected
from environments.migrations.checks.judge import JudgeOptions, judge
from environments.migrations.errors import MigrationFailedError
from environments.migrations.lock import locked
from environments.migrations.rehearsal.receipt import Receipt, receipt_digest
from environments.migrations.rehearsal.rehearse import rehearse
from environments.migrations.rehearsal.scratch_branch import delete_leftovers
from environments.migrations.restore_point import find_restore_point, make_restore_point
from environments.migrations.rights import RightsBefore, rights_refusal, rights_warning
from environments.migrations.run import Pending, run_pending
from environments.migrations.session import Limits, end_sessions
from environments.migrations.state import Inputs, Outputs
from environments.migrations.tools import tool_for
from environments.plan.topology import MigrationPlan, MigrationSettings

if TYPE_CHECKING:
    from environments.database.lost_rights import Comparison
    from environments.ids import BranchKey, RoleName
    from environments.migrations.lock import Lock
    from environments.migrations.result import Run

_LOCK_SECONDS = 30.0
"""For the lock of another migration; it holds that until its rehearsal and run are over."""


def migrate(new: Inputs, plan: MigrationPlan, before: Outputs) -> Outputs:
    """Run what is pending on the served branch of `new`; `before` is what came of the last update.

    Raises MigrationFailedError, with the schema as it was.
    """
    folder, limits = Path(plan.folder), Limits.of(plan.settings)
    if app_digest(folder) != plan.digest:
        raise MigrationFailedError(f"the files in {folder} changed while this ran", remedy="Run pulumi up again")
    tool = tool_for(folder, plan.settings.table)
    with Neon() as neon:
        served = new.address
        url = neon.uri(served, pooled=False)
        with locked(url, _LOCK_SECONDS) as lock:
            # Whoever ran these held the lock, so its runner is gone.
            end_sessions(url, limits)
            delete_leftovers(neon, served)
            todo = Pending(tool, folder, url, limits)
            if not todo.pending:
                return _found(neon, new, todo, replace(before, pending=()))
            _refuse(todo, plan.settings)
            return _Update(neon, new.key, served, new.roles, todo, limits, plan.settings).run(lock, before)


@dataclass(frozen=True)
class _Update:
    """One run of what is pending on the branch `key`: rehearsal, restore point, the run itself."""

    neon: Neon
    key: BranchKey
    served: Address
    roles: tuple[RoleName, ...]
    todo: Pending
    limits: Limits
    settings: MigrationSettings

    def run(self, lock: Lock, before: Outputs) -> Outputs:
        """Return the outputs after the run, or after the rehearsal if the settings stop there."""
        receipt = self._rehearsed(before.receipt) if self.settings.rehearse else None
        if receipt:
            self._require_rights(receipt.rights)
        pending = tuple(migration.tag for migration in self.todo.pending)
        if self.settings.stop_after_rehearsal:
            log.info(f"{self.key}: stop_after_rehearsal is set, so nothing ran. Pending: {', '.join(pending)}")
            return replace(before, pending=pending, receipt=receipt)
        lock.require()
        with connected(self.todo.url) as connection:
            point = make_restore_point(self.neon, connection, self.served, pending[0], self.settings.restore_point_days)
            could = None if receipt else RightsBefore(connection, self.roles)
        try:
            run = run_pending(self.todo, self.limits)
        except MigrationFailedError as error:
            kept = "its schema is as it was" if self.todo.tool.single_transaction else "the files before it stay"
            raise MigrationFailedError(f"{self.key} was not migrated, {kept}: {error}") from None
        outputs = Outputs(receipt=receipt, restore_point=point, way_back=point.way_back(self.key), ran=run)
        self._report(run, outputs)
        if could:
            with connected(self.todo.url) as connection:
                self._warn_of_lost_rights(could.changed(connection, self.served.owner))
        return outputs

    def _rehearsed(self, receipt: Receipt | None) -> Receipt:
        """Return the receipt of a rehearsal of exactly this: the one that exists, or that of a rehearsal now."""
        if receipt and receipt.holds_for(receipt_digest(self.todo, self.served.branch, self.limits)):
            return receipt
        try:
            fresh = rehearse(self.neon, self.served, self.todo, self.limits, self.roles)
        except MigrationFailedError as error:
            raise MigrationFailedError(
                f"the rehearsal on a copy of {self.key} failed, {self.key} itself is untouched: {error}"
            ) from None
        log.info(f"{self.key}: {fresh}")
        return fresh

    def _require_rights(self, rights: Comparison) -> None:
        """Refuse what takes rights or rows from the app, unless the stack file lists it."""
        accepted = self.settings.fewer_rights
        if lost := rights.refused(accepted):
            raise MigrationFailedError(rights_refusal(self.key, lost))
        for note in rights.told(accepted):
            log.warn(f"{self.key}: {note}")

    def _warn_of_lost_rights(self, rights: Comparison) -> None:
        """Tell what a run that nobody rehearsed has taken from the app."""
        accepted = self.settings.fewer_rights
        if lost := rights.refused(accepted):
            log.warn(rights_warning(self.key, lost))
        for note in rights.told(accepted):
            log.warn(f"{self.key}: {note}")

    def _report(self, run: Run, outputs: Outputs) -> None:
        rehearsed = f" ({outputs.receipt.seconds:.2f} s in the rehearsal)" if outputs.receipt else ""
        tags = ", ".join(run.applied)
        log.info(f"{self.key}: {tags} applied in {run.seconds:.2f} s{rehearsed}. The way back: {outputs.way_back}")
        if run.warning:
            log.warn(f"{self.key}: {run.warning}")


def _refuse(todo: Pending, settings: MigrationSettings) -> None:
    verdict = judge(todo.migrations, todo.applied, todo.tool, JudgeOptions.of(settings))
    if verdict.refusals:
        raise MigrationFailedError("\n".join(f"migration refused: {refusal}" for refusal in verdict.refusals))


def _found(neon: Neon, new: Inputs, todo: Pending, outputs: Outputs) -> Outputs:
    """Return the outputs with the restore point of a run that was cut short after it had applied everything."""
    point = find_restore_point(neon, new.address, [migration.tag for migration in todo.migrations])
    if point is None or (outputs.restore_point and outputs.restore_point.id == point.id):
        return outputs
    return replace(outputs, restore_point=point, way_back=point.way_back(new.key))
