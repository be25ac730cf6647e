"""Histories in which the branch takes a turn: it is left and serves again, is set back, or a clone of it serves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege

from environments.cutover.guard import own_rows
from environments.database.fence import lift_fence, raise_fence
from environments.database.marker import BranchMarker, write_marker
from environments.database.provenance import EVERY_ROW
from environments.database.rows import RowCount
from environments.ids import BranchId, RoleName, Transaction
from tests.resources.computes import OWNER, Database
from tests.resources.interleaving import History, Row

TURNS = ["serve_again", "serve_again", "set_back", "set_back_to_before", "serve_clone"]

_NAMES = (f"turn-{number}" for number in itertools.count())


@dataclass(frozen=True)
class Moment:
    """A point of the branch's history, and what the model held then."""

    at: str
    has_begun: bool
    rows: dict[Row, bool]
    rewritten: set[str]
    families: dict[str, list[str]]


class TurningHistory(History):
    """A history whose branch bears a mark and has an app, and can take turns."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        database.make_app(self.admin)
        self.moments: list[Moment] = []
        self._clones: list[str] = []

    def take_baseline(self) -> None:
        """Take it and note it on the branch, as AppLogin does."""
        super().take_baseline()
        marker = BranchMarker(BranchId(self.branch), Transaction(str(self.baseline)))
        write_marker(self.admin, RoleName(self.database.role), marker)

    def note_moment(self) -> None:
        """Make this a moment that the branch can be set back to."""
        at = self.database.project.moment(self.branch)
        self.moments.append(Moment(at, self.has_begun, dict(self.rows), set(self.rewritten), dict(self.families)))

    def verify(self) -> None:
        """Check both counts: since the baseline, and of everything."""
        self.check(self._counted())
        self.check_adopted()

    def close(self) -> None:
        """End every session and remove the clones."""
        super().close()
        for clone in reversed(self._clones):
            self._call("DELETE", f"branches/{clone}")
        self._clones.clear()

    def turn(self, name: str, family: int, amount: int) -> None:
        """Let the branch take a turn."""
        names = list(self.families)
        getattr(self, f"_turn_{name}")(names[family % len(names)], amount)

    def _turn_serve_again(self, family: str, amount: int) -> None:
        """The branch is left; its owner mends something on it, the app can't; then the app is back."""
        self.settle()
        role, ids = self.database.role, [self._new_id(self.writers[0]) for _ in range(2 * amount + 2)]
        raise_fence(self.admin, [role])
        with self.database.app(branch=self.branch) as app:
            with pytest.raises(InsufficientPrivilege):
                self._insert(app, family, ids)
            self._insert(self.admin, family, ids[: amount + 1])
            lift_fence(self.admin, [role], self.database.name, OWNER)
            self._insert(app, family, ids[amount + 1 :])
        self._acknowledge({(family, id_): True for id_ in ids})

    def _turn_set_back(self, _family: str, _amount: int) -> None:
        self._set_back(self.moments[-1])

    def _turn_set_back_to_before(self, _family: str, _amount: int) -> None:
        """Back to before the baseline, if the branch is that old: what is new can't be told, so every row counts."""
        self._set_back(self.moments[0])

    def _turn_serve_clone(self, _family: str, _amount: int) -> None:
        """What is under way on the source never comes to the clone, where no row is new."""
        made = self.database.project.branch(next(_NAMES), parent=self.branch)
        self.close_sessions()
        self.branch, self.endpoint = made["branch"]["id"], made["endpoints"][0]["id"]
        self._clones.append(self.branch)
        self.open()
        if self.baseline:
            assert self._counted().missing, "it bears its source's mark"
        self.rows = dict.fromkeys(_logged(self.rows), False)
        self.rewritten.clear()
        self.take_baseline()
        self.moments.clear()
        self.note_moment()

    def _set_back(self, moment: Moment) -> None:
        self.close_sessions()
        body = {"source_branch_id": self.branch, "source_timestamp": moment.at, "preserve_under_name": next(_NAMES)}
        self._call("POST", f"branches/{self.branch}/restore", body)
        self.open()
        self.rows, self.families = _logged(moment.rows), dict(moment.families)
        self.rewritten = set(moment.rewritten)
        if not moment.has_begun:
            assert self._counted().missing, "it is not what began with that baseline"
            self.baseline, self.exact, self.has_begun = int(EVERY_ROW), True, True
            self.rows = dict.fromkeys(self.rows, True)
        self.moments.clear()  # a restored branch can't be set back to before its restore
        self.note_moment()

    def close_sessions(self) -> None:
        """End every session."""
        super().close()

    def _counted(self) -> RowCount:
        return own_rows(
            self.admin, BranchId(self.branch), [RoleName(self.database.role)], Transaction(str(self.baseline))
        )

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        project = self.database.project
        project.host.call(method, f"{project.path}/{path}", body)


def _logged(rows: dict[Row, bool]) -> dict[Row, bool]:
    """What is not logged isn't copied: such a table is empty on a clone and after a restore."""
    return {row: is_new for row, is_new in rows.items() if row[0] != "unlogged"}
