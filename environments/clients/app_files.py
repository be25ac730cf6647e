"""The files of the app that a deployment takes along, and the digest that tells when they changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from environments.clients.vercel import File

_LEFT_OUT = frozenset({"node_modules", ".git", ".vercel", ".next", ".DS_Store", "__pycache__"})
_DEVELOPERS_OWN = ".env"
"""How `.env`, `.env.local` and so on begin: they hold a developer's own secrets."""


def app_files(folder: Path) -> list[File]:
    """Return the app's files sorted by path, without dependencies, build output and `.env` files."""
    return [_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file() and _taken(folder, path)]


def app_digest(folder: Path) -> str | None:
    """Return a digest of the paths and contents of the app's files, or None if there are none."""
    files = app_files(folder)
    if not files:
        return None
    lines = "".join(f"{file.sha} {file.path}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _taken(folder: Path, path: Path) -> bool:
    parts = path.relative_to(folder).parts
    return not _LEFT_OUT.intersection(parts) and not parts[-1].startswith(_DEVELOPERS_OWN)


def _file(folder: Path, path: Path) -> File:
    content = path.read_bytes()
    sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return File(path.relative_to(folder).as_posix(), sha, content)
