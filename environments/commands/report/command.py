"""`environments report`: Markdown on standard output; a refused preview is a review too."""

from __future__ import annotations

import sys
from pathlib import Path

from environments.commands.report.comment import comment
from environments.commands.report.preview import PreviewError, read_preview


def report(file: Path | None, stack: str | None) -> None:
    """Print the review of what `pulumi preview --json` wrote into `file`, or to standard input where it is None.

    `stack` names the stack where the preview doesn't. Raises PreviewError if that is no preview.
    """
    try:
        text = file.read_text(encoding="utf-8") if file else sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        raise PreviewError(f"{file or 'standard input'} can't be read: {error}") from None
    print(comment(read_preview(text, stack)), end="")
