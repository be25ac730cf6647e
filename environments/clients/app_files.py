"""The files of the app that a deployment takes along, and the digest that tells when they changed.

Only files inside the folder go along: a link that leads out of it could take anything of this machine to Vercel. What
can't be taken along as it is stops the deployment, since an app without one of its files is another app.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from environments.clients.vercel import File
from environments.errors import RefusedError

_LEFT_OUT = frozenset({"node_modules", ".git", ".vercel", ".next", ".DS_Store", "__pycache__"})
_DEVELOPERS_OWN = ".env"
"""How `.env`, `.env.local` and so on begin: they hold a developer's own secrets."""
_LARGEST = 10**9
"""Bytes: Vercel takes files of up to 1 GB on its Pro plan, and of up to 100 MB on Hobby (vercel.com/docs/limits)."""


class AppFilesError(RefusedError):
    """Something in the app's folder can't be deployed."""


def app_files(folder: Path) -> list[File]:
    """Return the app's files sorted by path, without dependencies, build output and `.env` files.

    A link counts as the file that it leads to. Raises AppFilesError for a link that leads to no file of the app, for
    what is neither a file nor a folder, and for a file that can't be read or is larger than Vercel takes.
    """
    return [_file(folder, path) for path in sorted(_paths(folder))]


def app_digest(folder: Path) -> str | None:
    """Return a digest of the paths and contents of the app's files, or None if there are none."""
    files = app_files(folder)
    if not files:
        return None
    lines = "".join(f"{file.sha} {file.path}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _paths(folder: Path) -> Iterator[Path]:
    """Yield what is in the folder and goes along, but for the folders themselves."""
    if not folder.is_dir():
        return
    for here, folders, names in os.walk(folder, onerror=_raise_unreadable):
        inside = Path(here)
        links = [name for name in folders if (inside / name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and _taken(folder, inside / name)]
        yield from (inside / name for name in (*names, *links) if _taken(folder, inside / name))


def _taken(folder: Path, path: Path) -> bool:
    parts = path.relative_to(folder).parts
    return not _LEFT_OUT.intersection(parts) and not (parts[-1].startswith(_DEVELOPERS_OWN) and not path.is_dir())


def _file(folder: Path, path: Path) -> File:
    name = path.relative_to(folder).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise AppFilesError(f"the name of {str(path)!r} is not UTF-8: rename the file") from None
    source = _led_to(folder, path) if path.is_symlink() else path
    try:
        found = source.stat()
        if not stat.S_ISREG(found.st_mode):
            raise AppFilesError(
                f"{path} is neither a file nor a folder, and only files can be deployed: move it out of {folder}"
            )
        if found.st_size > _LARGEST:
            raise AppFilesError(
                f"{path} has {found.st_size / 1e9:.1f} GB, and Vercel takes files of up to 1 GB (100 MB on Hobby): "
                f"move it out of {folder}"
            )
        content = source.read_bytes()
    except OSError as error:
        _raise_unreadable(error)
    sha = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return File(name, sha, content)


def _led_to(folder: Path, link: Path) -> Path:
    """Return the file of the app that a link leads to."""
    root = folder.resolve()
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise AppFilesError(f"{link} is a link that leads nowhere: remove it, or put the file there") from None
    if not target.is_relative_to(root):
        raise AppFilesError(
            f"{link} is a link that leads out of {folder}, so what it leads to is not deployed: put the file there"
        )
    if target.is_dir():
        raise AppFilesError(f"{link} is a link to a folder, and only links to files can be deployed: copy the folder")
    if not _taken(root, target):
        where = target.relative_to(root).as_posix()
        raise AppFilesError(f"{link} is a link to {where}, which is never deployed: remove it, or put the file there")
    return target


def _raise_unreadable(error: OSError) -> NoReturn:
    reason = (error.strerror or type(error).__name__).lower()
    raise AppFilesError(f"{error.filename} can't be read ({reason}): make it readable, or move it away") from None
