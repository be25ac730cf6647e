"""The entries of a review. Each is a fact with its words; nothing that a program needs has to be read out of prose.

MoveReview          what happens to the pointer, its data, deployment and compute
MigrationReview     what is pending, with its SQL
Warning             what the reader should do something about
Refusal             why nothing will be changed, and the edits that help

Start               not said to anybody: in a file, the entries of a run of the program come after it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from environments.ids import BranchKey, StackName


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """Rows of one table that only one branch has; `rewritten` if its columns changed, so that each row may count."""

    table: str
    rows: int
    rewritten: bool = False


@dataclass(frozen=True, kw_only=True)
class RowsBehind:
    """Rows that stay on the branch that the pointer leaves; `missing` says why the count isn't whole."""

    branch: BranchKey
    total: int
    tables: tuple[TableRows, ...] = ()
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a review: a label of one word, and its text, or what it lists: sentences in their order."""

    label: str
    text: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MoveReview:
    """A move of the pointer. `undo` is the edit that takes it back, empty where there is none."""

    kind: Literal["first", "same-branch", "renamed", "move"]
    title: str
    lines: tuple[Line, ...]
    was: BranchKey | None = None
    now: BranchKey
    behind: RowsBehind | None = None
    undo: str = ""


@dataclass(frozen=True, kw_only=True)
class PendingMigration:
    """A migration that is to run, with its SQL; `file` is relative to the folder of migrations.

    `more_lines` is how many lines of a long file `sql` leaves out.
    """

    tag: str
    sql: str
    file: str = ""
    more_lines: int = 0


@dataclass(frozen=True, kw_only=True)
class MigrationReview:
    """What runs on `branch`; `warnings` are worth knowing and refuse nothing."""

    branch: BranchKey
    title: str
    pending: tuple[PendingMigration, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Warning:  # noqa: A001 - the field's word; nobody means Python's own here
    """What the reader should do something about; `about` is the URN of its resource, empty for the whole stack."""

    text: str
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why the edit is refused; `behind` are the rows that it would leave, where that is the reason."""

    text: str
    about: str = ""
    behind: RowsBehind | None = None


Entry = MoveReview | MigrationReview | Warning | Refusal


@dataclass(frozen=True, kw_only=True)
class Start:
    """The program of `stack` begins to run: what a file holds before this is of an earlier run."""

    stack: StackName
