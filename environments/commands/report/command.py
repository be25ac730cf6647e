"""`environments report`: Markdown on standard output; a refused preview is a review too."""

from __future__ import annotations

import sys
from pathlib import Path

from environments.commands.report.comment import comment
from environments.commands.report.preview import PreviewError, read_preview
from environments.errors import RefusedError
from environments.review.file import Review, read_review
from environments.review.telling import VARIABLE


class ReviewError(RefusedError):
    """The file of the review isn't named, isn't there, or can't be read."""


def report(file: Path | None, review: Path | None, stack: str | None) -> None:
    """Print the comment on one run of `pulumi preview --json`, from what it printed and the review that it wrote.

    What it printed comes from `file`, or from standard input where that is None. `stack` names the stack where the
    preview doesn't. Raises PreviewError or ReviewError for what can't be read.
    """
    try:
        text = file.read_text(encoding="utf-8") if file else sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        raise PreviewError(f"{file or 'standard input'} can't be read: {error}") from None
    print(comment(read_preview(text, stack), _review(review)), end="")


def _review(file: Path | None) -> Review:
    if file is None:
        raise ReviewError(
            f"no review is given. Run pulumi preview with {VARIABLE}=review.jsonl, "
            "then environments report with --review review.jsonl"
        )
    try:
        return read_review(file)
    except FileNotFoundError:
        raise ReviewError(
            f"{file} doesn't exist. pulumi preview writes it where {VARIABLE} names it, once the program begins"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReviewError(f"{file} can't be read: {error}") from None
