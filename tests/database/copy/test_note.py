"""The note that a copy's database bears: JSON with a version, and nobody else's comment is taken for one."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from environments.clients.postgres import Connection
from environments.database.copy.note import Copied, being_filled, note_copied, note_filling, read_note
from environments.errors import StateError
from environments.ids import BranchId, Transaction

SOURCE, COPY = BranchId("br-1"), BranchId("br-2")
COPIED = Copied(source=SOURCE, fork=Transaction("700"), begins=Transaction("18446744073709551615"))


class Database:
    """Keeps the comment that is written to it."""

    info = SimpleNamespace(dbname="neondb")

    def __init__(self, comment: str | None = None) -> None:
        self.comment = comment

    def execute(self, statement: Any) -> SimpleNamespace:
        if not isinstance(statement, str):
            *_, text = statement
            self.comment = text._obj
        return SimpleNamespace(fetchone=lambda: (self.comment,))

    @property
    def connection(self) -> Connection:
        return cast("Connection", self)


def test_a_copy_that_is_being_made_is_no_copy_yet() -> None:
    database = Database()
    note_filling(database.connection, COPY, SOURCE)
    assert being_filled(database.connection, COPY)
    assert read_note(database.connection, COPY) is None
    note_copied(database.connection, COPY, COPIED)
    assert not being_filled(database.connection, COPY)
    assert read_note(database.connection, COPY) == COPIED


def test_the_note_is_json_of_version_1() -> None:
    database = Database()
    note_copied(database.connection, COPY, COPIED)
    assert json.loads(database.comment or "") == {
        "environments": 1,
        "branch": "br-2",
        "copied": {"source": "br-1", "fork": "700", "begins": "18446744073709551615"},
    }


def test_a_clone_of_a_copy_is_no_copy_itself() -> None:
    database = Database()
    note_copied(database.connection, COPY, COPIED)
    assert read_note(database.connection, BranchId("br-3")) is None
    note_filling(database.connection, COPY, SOURCE)
    assert not being_filled(database.connection, BranchId("br-3"))


@pytest.mark.parametrize(
    "comment", [None, "", "the shop's database", "42", "[1]", '{"owner": "me"}', '{"environments": "x"}']
)
def test_somebody_elses_comment_is_no_note(comment: str | None) -> None:
    assert read_note(Database(comment).connection, COPY) is None
    assert not being_filled(Database(comment).connection, COPY)


def test_a_note_of_a_newer_version_is_refused_with_what_to_do() -> None:
    database = Database(json.dumps({"environments": 2, "branch": "br-2"}))
    with pytest.raises(
        StateError, match=r"newer version of environments wrote the note .* br-2 .*install that version"
    ):
        read_note(database.connection, COPY)
