"""What the program said, told apart: the review, refusals, warnings, and a crash of which only the name is shown.

The review is one block of `environments.cutover.review`: a title, then lines of a label in ten columns and its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from environments.commands.report.preview import Preview
from environments.migrations.render import cautions_of, pieces_of

_LINE = re.compile(r"  (?! )(.{10})(\S.*)")
_MORE = re.compile(r" {12}(\S.*)")
_LEVEL = re.compile(r"(error|warning|info|debug): +")
_SPEAKER = re.compile(r"\A\S+ resource '[^']*' has a problem: ")
_BROKEN_NAME = re.compile(r"\w-$")
_CREDENTIALS = re.compile(
    r"(?<=://)[^\s/@]+(?=@)|(?<=password=)\S+|\b(?:napi|vck|pul|ghp|gho|github_pat)[-_]\w{8,}", re.IGNORECASE
)
_HIDDEN = "***"
_TRACEBACK = "Traceback (most recent call last):"
_CRASH = "the program failed with {} (what it says may hold values, so it isn't shown here): see pulumi preview"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]{0,80}(?=:|$)")
_NOISE = ("preview failed", "")
_ROWS = re.compile(r"(?:at least )?[\d,]+ rows? \((.*)\) (?:were written|stay behind)")
_TABLE = re.compile(r"(.+?) ([\d,]+)( \(its columns changed\))?(?:, |$)")


@dataclass(frozen=True)
class Review:
    """A move of the pointer in words: its title, and (label, text) of each line."""

    title: str
    lines: tuple[tuple[str, str], ...]

    def line(self, label: str) -> str:
        """Return the text that stands beside a label, or nothing."""
        return next((text for each, text in self.lines if each == label), "")


@dataclass(frozen=True)
class Told:
    """All that was said: the review or None, why it was refused (several lines at times), and warnings.

    `migrations` are (tag, SQL) of each that is pending, `cautions` what is worth knowing of them.
    """

    review: Review | None
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    crashed: bool
    migrations: tuple[tuple[str, str], ...] = ()
    cautions: tuple[str, ...] = ()


def told(preview: Preview) -> Told:
    """Tell the preview's diagnostics apart, user names and passwords of URLs taken out of them."""
    review: Review | None = None
    refusals: list[str] = []
    warnings: list[str] = []
    migrations: list[tuple[str, str]] = []
    cautions: list[str] = []
    lines = [_CREDENTIALS.sub(_HIDDEN, line) for line in preview.said]
    while lines:
        level, text = _level(lines.pop(0))
        body = _block(lines, whole=level == "error")
        if level == "error" or text == _TRACEBACK:
            refusals.append("\n".join([text, *body]))
        elif level == "warning":
            warnings.append("\n".join([text, *body]))
        elif pending := pieces_of(said := "\n".join([text, *body])):
            migrations, cautions = pending, cautions_of(said)
        elif body and (found := _review(text, body)):
            review = found
    refusals += [_CREDENTIALS.sub(_HIDDEN, error) for error in preview.errors]
    why = [_refusal(refusal) for refusal in refusals]
    return Told(
        review=review,
        refusals=tuple(each for each in dict.fromkeys(why) if each not in _NOISE),
        warnings=tuple(dict.fromkeys(warnings)),
        crashed=any(_TRACEBACK in refusal for refusal in refusals),
        migrations=tuple(migrations),
        cautions=tuple(cautions),
    )


def tables(text: str) -> list[tuple[str, str, bool]]:
    """Return (table, rows, whether its columns changed) of a count in words; nothing where it names no table."""
    counted = _ROWS.search(text)
    found = list(_TABLE.finditer(counted[1])) if counted else []
    whole = counted is not None and "".join(each[0] for each in found) == counted[1]
    return [(each[1], each[2], bool(each[3])) for each in found] if whole else []


def _level(line: str) -> tuple[str, str]:
    match = _LEVEL.match(line)
    return (match[1], line[match.end() :]) if match else ("", line)


def _block(lines: list[str], *, whole: bool) -> list[str]:
    """Take from `lines` what belongs to the line before: all up to the next one with a level, or to a traceback."""
    taken: list[str] = []
    while lines and not _LEVEL.match(lines[0]) and (whole or lines[0] != _TRACEBACK):
        taken.append(lines.pop(0))
    return taken


def _review(title: str, body: list[str]) -> Review | None:
    found: list[tuple[str, str]] = []
    for line in body:
        if first := _LINE.fullmatch(line):
            found.append((first[1].strip(), first[2]))
        elif found and (more := _MORE.fullmatch(line)):
            label, text = found[-1]
            found[-1] = (label, f"{text}{'' if _BROKEN_NAME.search(text) else ' '}{more[1]}")
    return Review(title, tuple(found)) if found else None


def _refusal(text: str) -> str:
    """Return a refusal without its speaker; of a crash the exception's name alone."""
    text = _SPEAKER.sub("", _LEVEL.sub("", text.strip(), count=1), count=1).removeprefix("Preview failed: ").strip()
    if _TRACEBACK not in text:
        return text
    lines = [line for line in text.partition(_TRACEBACK)[2].splitlines() if line and not line[0].isspace()]
    exception = next((found[0] for line in lines if (found := _EXCEPTION.match(line))), "an exception")
    return _CRASH.format(exception)
