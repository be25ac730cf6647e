"""Running what is pending on a copy of production. Nothing of it touches production.

There are no visitors on a copy, so nobody waits for its locks and it waits for nobody's: what is measured is how long
the locks are held, not how long it takes to get them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from environments.clients.neon import Address, Neon
from environments.clients.postgres import connected
from environments.migrations.execute import Execution, batches
from environments.migrations.rehearsal.locks import LockWatch
from environments.migrations.rehearsal.receipt import Receipt, TableCount, receipt_digest
from environments.migrations.rehearsal.scratch_branch import scratch_branch
from environments.migrations.rehearsal.table_sizes import count_tables
from environments.migrations.rights import RightsBefore
from environments.migrations.session import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.ids import RoleName
    from environments.migrations.run import Pending


def rehearse(neon: Neon, served: Address, todo: Pending, limits: Limits, roles: Sequence[RoleName] = ()) -> Receipt:
    """Run what is pending on a copy of the branch of `served`; MigrationFailedError leaves production untouched.

    `roles` are the app's logins, of which it is noted what they lose.
    """
    whole = time.monotonic()
    with scratch_branch(neon, served) as copy:
        url = limits.url(neon.uri(copy, pooled=False))
        with connected(url, statement_seconds=round(limits.statement), wait_seconds=limits.connect) as connection:
            before = count_tables(connection)
            could = RightsBefore(connection, roles)
            watch = LockWatch(connection)
            began = time.monotonic()
            run = Execution(connection, todo.record, not todo.applied, began + limits.run, watch)
            statements = run.run(batches(todo.pending, together=todo.tool.single_transaction))
            seconds = time.monotonic() - began
            after = count_tables(connection)
            rights = could.changed(connection, copy.owner)
    locks = watch.held()
    touched = {lock.table for lock in locks} | {table for table, rows in after.items() if before.get(table) != rows}
    return Receipt(
        digest=receipt_digest(todo, served.branch, limits),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        overhead=round(time.monotonic() - whole - seconds, 3),
        statements=statements,
        locks=locks,
        rows=tuple(
            TableCount(table=table, before=before.get(table), after=after.get(table))
            for table in sorted(touched | before.keys() - after.keys())
        ),
        rights=rights,
    )
