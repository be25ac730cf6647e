"""The comment as a whole: what a reviewer asks first stands first, and what is too long is cut by whole sections."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from environments.commands.report.content import Content, content
from environments.commands.report.lineage import lineage
from environments.commands.report.markdown import block, code, escaped, folded, name, prose, quote, table
from environments.commands.report.preview import Preview, Size, Step
from environments.review.file import Review
from environments.review.model import Line, MigrationReview, PendingMigration

LONGEST = 65_536
"""Characters that GitHub takes in one comment; here counted as bytes, which are never fewer."""

_MOST_ROWS = 100
_MOST_TEXT = 40_000
_LABELS = {"behind": "rows left behind", "stays": "what stays", "host": "database host", "deploy": "deployment"}
_OPERATIONS = {"create": "make", "update": "change"}
_DESTRUCTIVE = re.compile(r"delete|replace|discard")
_REWRITTEN = "its columns changed, so this may be every row of it"
_OURS = "environments"
_NEVER = -1


def marker(stack: str) -> str:
    """Return the hidden first line by which a workflow finds the one comment of this stack again."""
    return f"<!-- environments-review:{re.sub(r'[^A-Za-z0-9._-]', '_', stack)} -->"


def comment(preview: Preview, review: Review) -> str:
    """Return the Markdown of one preview and its review, short enough for one comment.

    Raises RefusedError if the two aren't of the same stack.
    """
    said = content(preview, review)
    # What may be left out if all of it is too long, the dearest first.
    optional = [
        _quotes("CAUTION", [*said.refused, *said.failed]),
        _quotes("NOTE", said.warnings),
        _destroyed(preview),
        _move(preview, said),
        _left_behind(said),
        _migrations(said.migrations),
        _undo(preview, said),
        _section("Lineage", lineage(preview, refused=said.stopped)),
        "" if said.stopped else _compute(preview),
        _resources(preview, refused=said.stopped),
    ]
    first = [marker(preview.stack), f"## {_headline(preview, said)}"]
    sections = [section for section in optional if section]
    cut: list[str] = []
    while sections and len("\n\n".join([*first, *sections, *cut]).encode()) >= LONGEST:
        sections.pop()
        cut = [f"The rest is too long for a comment; {code(f'pulumi preview -s {preview.stack}')} shows it."]
    return "\n\n".join([*first, *sections, *cut]) + "\n"


def _headline(preview: Preview, said: Content) -> str:
    stack = name(preview.stack)
    if said.stopped:
        stays = f"; {preview.target or 'it'} stays on {name(preview.serving)}" if preview.serving else ""
        return f"{stack}: {'the preview failed' if said.crashed else 'refused'}, nothing was changed{stays}"
    if said.move:
        return f"{stack}: {escaped(said.move.title)}"
    serves = f", {name(preview.serving)} goes on serving" if preview.serving else ""
    changes = len(preview.changes)
    if changes and not preview.existing:
        return f"{stack}: will be made{f', serving {name(preview.wanted)}' if preview.wanted else ''}"
    if not changes:
        return f"{stack}: nothing to do{serves}"
    if preview.serving and preview.wanted and preview.serving != preview.wanted:
        return (
            f"{stack}: {preview.target or 'the pointer'} moves from {name(preview.serving)} to {name(preview.wanted)}"
        )
    return f"{stack}: {_count(changes)} {'change' if changes > 1 else 'changes'}{serves}"


def _quotes(kind: str, texts: Sequence[str]) -> str:
    quotes: list[str] = []
    for text in texts:
        if sum(map(len, quotes)) > _MOST_TEXT:
            return "\n\n".join([*quotes, f"… and {len(texts) - len(quotes)} more"])
        quotes.append(quote(kind, _lines(text)))
    return "\n\n".join(quotes)


def _lines(text: str) -> str:
    """Return a text of several lines, its bullets as a list."""
    shown: list[str] = []
    listed = False
    for line in (each.strip() for each in text.splitlines()):
        was, listed = listed, line.startswith("- ")
        shown += [""] if shown and listed != was else []
        shown.append(f"- {prose(line.removeprefix('- '))}" if listed else prose(line))
    return "\n".join(shown)


def _destroyed(preview: Preview) -> str:
    found = [step for step in preview.changes if _DESTRUCTIVE.search(step.op)]
    if not found:
        return ""
    listed = [f"- {escaped(_operation(step))}: {_resource(step)}" for step in found[:_MOST_ROWS]]
    head = f"{_count(len(found))} would be deleted or replaced. Their data may be lost:"
    return quote("WARNING", "\n".join([head, "", *listed, *_more(len(found))]))


def _move(preview: Preview, said: Content) -> str:
    if said.move is None:
        return ""
    lines = [line for line in said.move.lines if line.label != "undo" or not _undo(preview, said)]
    rows = [(_LABELS.get(line.label, escaped(line.label)), _text(line)) for line in lines]
    return table(["", "what it means"], rows[:_MOST_ROWS])


def _text(line: Line) -> str:
    numbered = (f"{number}. {prose(item)}" for number, item in enumerate(line.items[:_MOST_ROWS], 1))
    return "\n".join([*([prose(line.text)] if line.text else []), *numbered])


def _left_behind(said: Content) -> str:
    behind = said.behind
    if behind is None or not behind.tables:
        return ""
    tables = sorted(behind.tables, key=lambda each: (-each.rows, each.table))
    notes = any(each.rewritten for each in tables)
    rows = [
        (name(each.table), f"{each.rows:,}", *([_REWRITTEN if each.rewritten else ""] if notes else []))
        for each in tables[:_MOST_ROWS]
    ]
    head = ["table", "rows", *([""] if notes else [])]
    missing = [f"The count isn't complete: {prose(behind.missing)}"] if behind.missing else []
    return _section("Rows left behind", table(head, rows), *_more(len(tables)), *missing)


def _migrations(reviews: Sequence[MigrationReview]) -> str:
    shown: list[str] = []
    for review in reviews:
        count = len(review.pending)
        each = "\n\n".join(_migration(pending) for pending in review.pending)
        summary = "1 migration with the SQL" if count == 1 else f"{count} migrations with the SQL"
        shown.append(folded(summary, each) if count else prose(review.title))
        shown += ["\n".join(f"- {prose(warning)}" for warning in review.warnings)] if review.warnings else []
    return _section("Pending migrations", *shown)


def _migration(pending: PendingMigration) -> str:
    more = [f"… and {pending.more_lines} more lines in {name(pending.file)}"] if pending.more_lines else []
    return "\n\n".join([name(pending.tag), block(pending.sql, "sql"), *more])


def _undo(preview: Preview, said: Content) -> str:
    move = said.move
    if move is None or said.stopped or move.was is None or move.was == move.now or not move.undo:
        return ""
    old, new = (_served(preview, name) for name in (move.was, move.now))
    lines = [f" # Pulumi.{preview.stack}.yaml", f"-  environments:serve: {new}", f"+  environments:serve: {old}"]
    stack = f"-s {shlex.quote(preview.stack)}"
    by_hand = prose(f"pulumi config set serve {shlex.quote(old)} {stack}, then pulumi up {stack}")
    edit = block("\n".join(" ".join(line.splitlines()) for line in lines), "diff")
    return _section("The edit that undoes it", edit, f"Or by hand: {by_hand}")


def _served(preview: Preview, name: str) -> str:
    """Return what `serve` is in the stack file for the pointer to lead to `name`: YAML that is JSON as well."""
    source = preview.guests.get(name)
    return json.dumps({"stack": source.stack, "branch": source.name}) if source else name


def _compute(preview: Preview) -> str:
    rows = [
        (name(step.name), _size(step.before, "new"), _size(step.after, "goes"))
        for step in sorted(preview.changes, key=lambda step: step.name)
        if step.before != step.after and (step.before or step.after)
    ]
    return (
        _section("Compute", table(["branch", "before", "after"], rows[:_MOST_ROWS]), *_more(len(rows))) if rows else ""
    )


def _size(size: Size | None, missing: str) -> str:
    if size is None:
        return missing
    same = size.min_cu == size.max_cu
    units = f"{size.min_cu:g} CU" if same else f"{size.min_cu:g} to {size.max_cu:g} CU"
    return (
        f"{units}, {'never suspends' if size.suspend_seconds == _NEVER else f'suspends after {size.suspend_seconds} s'}"
    )


def _resources(preview: Preview, *, refused: bool) -> str:
    changes = sorted(preview.changes, key=lambda step: (step.op, step.name, step.type))
    if not changes:
        return ""
    counts = ", ".join(f"{count} to {done}" for done, count in Counter(map(_operation, changes)).items())
    rows = [
        (escaped(_operation(step)), _resource(step), ", ".join(name(each) for each in step.changed))
        for step in changes[:_MOST_ROWS]
    ]
    head = f"{_count(len(changes))}{' planned before the refusal' if refused else ''}: {counts}"
    return folded(head, "\n\n".join([table(["", "resource", "because of"], rows), *_more(len(changes))]))


def _resource(step: Step) -> str:
    """Return what it is and its name; of a provider's own resource the provider too."""
    provider, _, _ = step.type.partition(":")
    kind = step.type.rsplit(":", 1)[-1]
    return f"{escaped(kind if provider == _OURS else f'{provider} {kind}')} {name(step.name)}"


def _operation(step: Step) -> str:
    return _OPERATIONS.get(step.op, step.op)


def _count(number: int) -> str:
    return "1 resource" if number == 1 else f"{number} resources"


def _more(found: int) -> Iterable[str]:
    return [f"… and {found - _MOST_ROWS} more"] if found > _MOST_ROWS else []


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"### {title}", *parts]) if parts and parts[0] else ""
