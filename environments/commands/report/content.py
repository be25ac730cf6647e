"""What a comment is made of: the entries of the review, and of the diagnostics what the review doesn't hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from environments.commands.report.masking import is_crash, masked, masked_entry
from environments.commands.report.preview import Preview
from environments.errors import RefusedError
from environments.review import model
from environments.review.file import Review
from environments.review.model import Entry, MigrationReview, MoveReview, Refusal, RowsBehind

T = TypeVar("T", bound=Entry)

_EMPTY_ERROR = "preview failed"
"""The engine's last word on a preview that it refused, with nothing in it."""


class OtherStackError(RefusedError):
    """The review is of one stack, the preview of another."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is to be shown of a preview; no text in it holds a credential.

    `refused` are the reasons of ours for which nothing will be changed, `failed` the errors of others, `crashed` says
    that one of these is a traceback. `warnings` are both ours and others'.
    """

    move: MoveReview | None = None
    migrations: tuple[MigrationReview, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    crashed: bool = False
    behind: RowsBehind | None = None
    """The rows that the pointer leaves, or that it would leave if that weren't refused."""

    @property
    def stopped(self) -> bool:
        """Whether nothing will be changed."""
        return bool(self.refused or self.failed)


def content(preview: Preview, review: Review) -> Content:
    """Put together what the review and the preview's diagnostics say, each of it once.

    Raises OtherStackError if they aren't of the same stack.
    """
    if review.stack is not None and review.stack != preview.stack:
        raise OtherStackError(
            f"the preview is of stack {preview.stack}, and the review of stack {review.stack}: "
            "give the two files that one run of pulumi preview wrote"
        )
    moves, refusals = _of(MoveReview, review), _of(Refusal, review)
    refused = tuple(dict.fromkeys(each.text for each in refusals))
    warnings = tuple(dict.fromkeys(each.text for each in _of(model.Warning, review)))
    failed = _others(preview.errors, refused)
    if len(failed) > 1 or refused:
        failed = tuple(text for text in failed if text != _EMPTY_ERROR)
    behind = [*(each.behind for each in refusals), *(each.behind for each in moves)]
    return Content(
        move=moves[-1] if moves else None,
        migrations=_of(MigrationReview, review),
        warnings=(*warnings, *_others(preview.warnings, warnings)),
        refused=refused,
        failed=failed,
        crashed=any(map(is_crash, preview.errors)),
        behind=next(filter(None, behind), None),
    )


def _of(kind: type[T], review: Review) -> tuple[T, ...]:
    """Return the entries of a kind, each once: several resources may say the same."""
    return tuple(dict.fromkeys(masked_entry(each) for each in review.entries if isinstance(each, kind)))


def _others(said: Iterable[str], ours: Iterable[str]) -> tuple[str, ...]:
    """Return what the diagnostics say beside our entries, of which the engine makes diagnostics too."""
    known = [_flat(text) for text in ours]
    texts = dict.fromkeys(masked(text) for text in said)
    return tuple(text for text in texts if not any(each in _flat(text) for each in known))


def _flat(text: str) -> str:
    return " ".join(text.split())
