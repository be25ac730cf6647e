"""Folder against table: what was changed after it ran, what would be skipped in silence, what nobody knows any more."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from environments.migrations.drizzle.journal import DrizzleJournal
from environments.migrations.files import sha256
from environments.migrations.model import Applied, Migration, Refusal, Tool, explained

_SHORT = 12
_AFTER = 1000
"""Milliseconds: a `when` that is proposed lies so far above the newest."""


def history_refusals(
    migrations: tuple[Migration, ...], applied: tuple[Applied, ...], tool: Tool
) -> tuple[list[Refusal], list[str]]:
    """Return why folder and table don't fit together, and what is odd about them and harmless."""
    known = explained(migrations, applied)
    done = {each.tag for each in known.values()}
    pending = {each.tag for each in tool.pending(migrations, applied)}
    newest = max((row.order for row in applied), default=None)
    refusals, harmless = _changed(known, applied)
    refusals += [_unexplained(row, tool) for position, row in enumerate(applied) if position not in known]
    skipped: set[str] = set()
    for each in migrations:
        if each.tag in pending and each.tag in done:
            refusals.append(_runs_again(each, tool))
        elif each.tag not in pending and each.tag not in done and newest is not None:
            refusals.append(_skipped(each, newest, tool))
            skipped.add(each.tag)
        elif each.tag in pending and newest is not None and each.order < newest:
            harmless.append(f"{each.tag} is older than what ran last: other databases may have run it before that")
    for first, second in itertools.pairwise(migrations):
        if second.order <= first.order and not {first.tag, second.tag} & skipped:
            if {first.tag, second.tag} & pending:
                refusals.append(_not_increasing(first, second, tool))
            else:
                harmless.append(f"{second.tag} is dated before {first.tag}; both ran, so it does no harm")
    return refusals, harmless


def _changed(known: dict[int, Migration], applied: tuple[Applied, ...]) -> tuple[list[Refusal], list[str]]:
    refusals: list[Refusal] = []
    harmless: list[str] = []
    for position, each in known.items():
        row = applied[position]
        if row.hash == each.hash:
            continue
        if row.hash in _other_line_ends(each):
            harmless.append(f"{each.file} differs from what ran in its line ends alone: {_LINE_ENDS}")
            continue
        rule = f"it was changed after it ran here (the hash is {each.hash[:_SHORT]}, what ran had {row.hash[:_SHORT]})"
        remedy = "Put the file back as it was, and bring the change as a migration of its own"
        refusals.append(Refusal(each.file, f"{rule}, and no tool runs it again", remedy, each.tag))
    return refusals, harmless


_LINE_ENDS = "put '*.sql text eol=lf' into .gitattributes"


def _other_line_ends(each: Migration) -> set[str]:
    unix = each.text.replace("\r\n", "\n")
    return {sha256(unix), sha256(unix.replace("\n", "\r\n"))}


def _unexplained(row: Applied, tool: Tool) -> Refusal:
    what = row.name or f"{row.hash[:_SHORT]} ({moment(row.order, tool)})"
    return Refusal(
        f"applied migration {what}",
        "the database has run it and the folder doesn't have it",
        "Bring its file back from the branch that it came from, or name the folder that belongs to this database",
        row.name,
    )


def _runs_again(each: Migration, tool: Tool) -> Refusal:
    rule = f"it ran here, and {tool.name} would run it again: its when, {each.order}, was raised above what is noted"
    return Refusal(each.tag, rule, "Put its when back in meta/_journal.json", each.tag)


def _skipped(each: Migration, newest: int, tool: Tool) -> Refusal:
    rule = (
        f"it would be skipped in silence: {tool.name} runs only what is dated after the newest that ran "
        f"({moment(newest, tool)}, {newest}), and its when is {each.order}"
    )
    remedy = f'Set its "when" in meta/_journal.json to {newest + _AFTER} and keep it below the when of all later ones'
    return Refusal(each.tag, rule, remedy, each.tag)


def _not_increasing(first: Migration, second: Migration, tool: Tool) -> Refusal:
    if not isinstance(tool, DrizzleJournal):
        folder = PurePosixPath(second.file).parent.name or second.file
        rule = f"it has the same place in the order as {first.tag}"
        return Refusal(second.tag, rule, f"Give {folder} a later one", second.tag)
    rule = f"its when, {second.order}, is not above the {first.order} of {first.tag} before it: where that one ran "
    rule += "already, it would be skipped in silence"
    remedy = f'Set its "when" in meta/_journal.json to {first.order + _AFTER}'
    return Refusal(second.tag, rule, remedy, second.tag)


def moment(order: int, tool: Tool) -> str:
    """Return an order as a person reads it."""
    if not isinstance(tool, DrizzleJournal):
        return str(order)
    try:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=order):%Y-%m-%d %H:%M:%S UTC}"
    except OverflowError:
        return str(order)
