"""The branches as a Mermaid graph: who is cloned from whom, which are new, where the pointer leads before and after.

Drawn from the settings and the stack's last outputs: the steps name a parent by its id alone, and hold no branch that
stays as it is.
"""

from __future__ import annotations

import re

from environments.commands.report.markdown import block, shortened
from environments.commands.report.preview import Preview, Source

_MOST = 40
_LONGEST = 60
_CLASSES = """    classDef new stroke-dasharray: 6 4
    classDef other fill:none,stroke-dasharray: 1 3
    classDef pointer font-weight:bold"""


def lineage(preview: Preview, *, refused: bool) -> str:
    """Return the graph, or nothing where the settings tell of no branch that could be served."""
    if preview.wanted not in preview.branches and preview.wanted not in preview.guests:
        return ""
    shown = _shown(preview)
    ids = {name: f"b{index}" for index, name in enumerate(shown)}
    lines = ["flowchart LR", *(_node(preview, name, ids[name], refused=refused) for name in shown)]
    sources: dict[Source, str] = {}
    for name in shown:
        source = preview.branches.get(name)
        if source is None:
            continue
        if source.stack is None and source.name in ids:
            lines.append(f"    {ids[source.name]} --> {ids[name]}")
            continue
        if source not in sources:
            sources[source] = f"s{len(sources)}"
            lines.append(f"    {sources[source]}{_other(source)}")
        lines.append(f"    {sources[source]} --> {ids[name]}")
    for name, source in preview.guests.items():
        if source not in sources:
            sources[source] = f"s{len(sources)}"
            lines.append(f"    {sources[source]}{_other(source)}")
        ids[name] = sources[source]
    if left_out := len(set(preview.branches) | set(preview.existing)) - len(shown):
        lines.append(f"    more[{_label(f'and {left_out} more')}]:::other")
    lines += [
        f"    p{{{{{_label(preview.target or preview.stack)}}}}}:::pointer",
        *_pointer(preview, ids, refused=refused),
    ]
    return block("\n".join([*lines, _CLASSES]), "mermaid")


def _shown(preview: Preview) -> list[str]:
    """Return the branches to draw: those that the pointer touches and what they come from first, if there are many."""
    every = list(dict.fromkeys([*preview.branches, *preview.existing]))
    if len(every) <= _MOST:
        return every
    first: list[str] = []
    for start in (preview.wanted, preview.serving):
        name: str | None = start
        while name and name in every and name not in first:
            first.append(name)
            source = preview.branches.get(name)
            name = source.name if source and source.stack is None else None
    return list(dict.fromkeys([*first, *reversed(every)]))[:_MOST]


def _node(preview: Preview, name: str, node: str, *, refused: bool) -> str:
    new = name not in preview.existing
    dropped = name not in preview.branches
    note = ("would be new" if refused else "new") if new else "goes" if dropped else ""
    return f"    {node}[{_label(name, note)}]{':::new' if new or dropped else ''}"


def _other(source: Source) -> str:
    if source.name is None:
        return f"[({_label('the default branch')})]:::other"
    return f"([{_label(source.name, f'stack {source.stack}' if source.stack else 'unknown')}]):::other"


def _pointer(preview: Preview, ids: dict[str, str], *, refused: bool) -> list[str]:
    was, now = ids.get(preview.serving), ids[preview.wanted]
    if was == now or (was is None and not refused):
        return [f"    p ==>|serves| {now}"]
    stays = [f"    p ==>|serves| {was}"] if was and refused else [f"    p -.->|before| {was}"] if was else []
    return [*stays, f"    p -.->|refused| {now}" if refused else f"    p ==>|after| {now}"]


def _label(text: str, note: str = "") -> str:
    parts = [_plain(shortened(part, _LONGEST)) for part in (text, note) if part]
    return f'"{"<br/>".join(parts)}"'


def _plain(text: str) -> str:
    """Return text in Mermaid's own escapes, so that nothing in it is markup or ends the label."""
    return re.sub(r"[^\w ./-]", lambda found: f"#{ord(found[0])};", text)
