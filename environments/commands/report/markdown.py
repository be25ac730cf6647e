"""Text from outside as GitHub Markdown: nothing in it becomes markup, a link, a mention or a command of Mermaid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_SET = r"pulumi config set (?:--path )?\S+ (?:'[^'\n]*'|[^\s,;]+)"
_COMMAND = re.compile(
    rf"`([^`\n]+)`|((?:{_SET}|pulumi (?:up|preview)\b|environments (?:recover|adopt))(?: -s [^\s,;]+)?)"
)
_JOINER = "\u200b"
_LINKS = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=[A-Za-z]:)(?=//)|(?<=www)(?=\.)|(?<=GH)(?=-\d)", re.IGNORECASE)
_BLOCK_START = re.compile(r"(?m)^(\s*)([#>+-]|\d+(?=[.)]))")
_LONGEST_TEXT = 12_000
_LONGEST_NAME = 200


def escaped(text: str) -> str:
    """Return text that GitHub shows letter by letter; a line break stays one."""
    return _BLOCK_START.sub(lambda found: f"{found[1]}{_start(found[2])}", _inline(text))


def _inline(text: str) -> str:
    text = _LINKS.sub(_JOINER, shortened(text, _LONGEST_TEXT))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", text)


def prose(text: str) -> str:
    """Return escaped text in which the commands that it names stand as code."""
    shown: list[str] = []
    end = 0
    text = shortened(text, _LONGEST_TEXT)
    for found in _COMMAND.finditer(text):
        shown += [_inline(text[end : found.start()]), code(found[1] or found[2])]
        end = found.end()
    return _BLOCK_START.sub(lambda start: f"{start[1]}{_start(start[2])}", "".join([*shown, _inline(text[end:])]))


def code(text: str) -> str:
    """Return text as inline code, whatever it holds."""
    text = " ".join(text.split())
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def name(text: str) -> str:
    """Return a name as inline code, cut where it is very long."""
    return code(shortened(text, _LONGEST_NAME))


def block(text: str, language: str) -> str:
    """Return text as a fenced block that no line of it can close."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def quote(kind: str, text: str) -> str:
    """Return Markdown as one of GitHub's alerts: NOTE, WARNING or CAUTION."""
    return "\n".join([f"> [!{kind}]", *(f"> {line}".rstrip() for line in text.splitlines())])


def folded(summary: str, text: str) -> str:
    """Return Markdown that shows only its summary until it is opened."""
    return f"<details>\n<summary>{escaped(summary)}</summary>\n\n{text}\n\n</details>"


def shortened(text: str, longest: int) -> str:
    """Return text, cut at `longest` characters with a sign that it was."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _cell(cell: str) -> str:
    """Return a cell without what would end it; a bar is escaped in code too, there GitHub drops the backslash."""
    one_line = "<br>".join(cell.splitlines())
    return re.sub(r"(?<!\\)\|", r"\\|", one_line)


def _start(sign: str) -> str:
    return f"{sign}&#8203;" if sign.isdigit() else f"\\{sign}"
