"""Reading one file of SQL as drizzle does: its text, the hash that is stored, and the statements that are sent."""

from __future__ import annotations

import hashlib
from pathlib import Path

from environments.migrations.model import Migration, Refusal

BREAKPOINT = "--> statement-breakpoint"


def read_text(path: Path) -> str | Refusal:
    """Return the file's text, or why it can't be had."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return Refusal(
            f"byte {error.start} of {path.name} is no UTF-8",
            "a migration is read as UTF-8, and its hash is that of the text",
            "Save it as UTF-8",
        )
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        return Refusal(path.name, f"it can't be read ({reason})", "Make it a readable file")


def drizzle_migration(tag: str, file: str, order: int, text: str) -> Migration:
    """Return a migration whose statements are parted by drizzle's breakpoints."""
    pieces = tuple(piece.strip() for piece in text.split(BREAKPOINT) if piece.strip())
    return Migration(tag, file, sha256(text), order, pieces, text)


def sha256(text: str) -> str:
    """Return the hash under which a file's text is stored."""
    return hashlib.sha256(text.encode()).hexdigest()
