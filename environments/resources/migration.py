"""Migration: the served branch's schema, brought to what the app's migrations folder says.

Before anything runs, the folder and the tool's table are judged, and the preview shows what is pending. Then, under the
database's lock: a rehearsal on a copy of production's rows, a restore point, the run itself with limits, and a count of
what the tool's table holds afterwards, which alone says whether it was done. A failure leaves the schema as it was.

The restore point is made after the rehearsal, so that it holds the rows that were written while that ran.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from environments.clients.lazy_imports import LazyModule
from environments.migrations.restore_point import RestorePoint
from environments.migrations.state import Inputs, Outputs
from environments.resources.typed import Checked, State, Typed
from environments.review.telling import tell

if TYPE_CHECKING:
    from environments.migrations import apply
    from environments.migrations import preview as previewing
else:
    apply, previewing = LazyModule("environments.migrations.apply"), LazyModule("environments.migrations.preview")

__all__ = ["Inputs", "Migration", "Outputs", "RestorePoint"]


class Migration(Typed[Inputs, Outputs]):
    """Runs what is pending; deleting the resource undoes no migration."""

    def check(self, old: Inputs | None, new: Inputs) -> Checked[Inputs]:
        """Refuse what would fail, lose rows or be skipped, and show the reviewer what is pending.

        Where nothing changed nothing is asked: a preview without changes opens no connection.
        """
        if new.migrations is None or (old is not None and _judged(old) == _judged(new)):
            return Checked(new)
        found = previewing.preview(old, new, new.migrations)
        if found.review:
            tell(found.review)
        return Checked(new, found.refusals)

    def changed(self, old: State[Inputs, Outputs], new: Inputs) -> list[str]:
        """Return what changed; without migrations, before and now, nothing matters."""
        return [] if old.inputs.migrations is None and new.migrations is None else super().changed(old, new)

    def stale(self, old: State[Inputs, Outputs], new: Inputs) -> bool:
        """Tell whether something was left pending, unless it was rehearsed and the settings stop there."""
        if new.migrations is None:
            return False
        waits = new.migrations.settings.stop_after_rehearsal and old.outputs.receipt is not None
        return bool(old.outputs.pending) and not waits

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Run what is pending on a branch that this resource hasn't seen; what an earlier run did is found."""
        return "migration", _migrated(new, Outputs())

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Run what is pending."""
        return _migrated(new, old.outputs)

    def read(self, old: State[Inputs, Outputs]) -> State[Inputs, Outputs]:
        """Look at the tool's table: what is missing from it is pending, and is judged and run with the next update."""
        migrations = old.inputs.migrations
        if migrations is None:
            return old
        pending = previewing.pending_tags(old.inputs, migrations)
        if pending is None or pending == old.outputs.pending:
            return old
        inputs = replace(old.inputs, migrations=replace(migrations, digest=""))
        return replace(old, inputs=inputs, outputs=replace(old.outputs, pending=pending))


def _judged(inputs: Inputs) -> tuple[object, ...]:
    """Return what a verdict depends on."""
    return inputs.project, inputs.branch, inputs.database, inputs.migrations


def _migrated(new: Inputs, before: Outputs) -> Outputs:
    if new.migrations is None:
        return replace(before, pending=())
    return apply.migrate(new, new.migrations, before)
