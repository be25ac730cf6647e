"""The command: `python -m report [FILE] [--stack prod]`, Markdown on stdout; a refused preview is a review too."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from environments.commands.report.comment import comment
from environments.commands.report.preview import PreviewError, read_preview


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; return the exit code: 1 where there is no preview to report on."""
    parser = argparse.ArgumentParser(prog="python -m report", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="what pulumi preview --json printed (stdin)")
    parser.add_argument("-s", "--stack", help="the stack's name, where the preview names none")
    options = parser.parse_args(arguments)
    try:
        text = options.file.read_text(encoding="utf-8") if options.file else sys.stdin.read()
        print(comment(read_preview(text, options.stack)), end="")
    except (OSError, UnicodeDecodeError, PreviewError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
