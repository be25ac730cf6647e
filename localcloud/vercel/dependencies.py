"""Installs npm packages once per lock file, into folders that all deployments with that lock file share.

A deployment gets a link to its folder, so that the second one with the same lock file is built in no time. The folder
is named after everything that decides its content, and it appears whole or not at all.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.private_files import private_folder
from localcloud.vercel.commands import executable, install_environment, run
from localcloud.vercel.ledger import Ledger
from localcloud.vercel.models import new_id

_LOCK_FILES = ("package-lock.json", "npm-shrinkwrap.json")
_DEPENDENCY_FIELDS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "overrides")
_OPTIONS = ("--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline", "--loglevel=error")


class InstallError(Exception):
    """npm did not install the packages; its words are in the log."""


class Dependencies:
    """The installed packages of every lock file that was ever deployed."""

    def __init__(self, folder: Path, *, home: Path, ledger: Ledger) -> None:
        self._folder = private_folder(folder)
        self._home = home
        self._ledger = ledger
        self._locks: dict[str, asyncio.Lock] = {}
        for draft in folder.glob(".draft-*"):
            shutil.rmtree(draft, ignore_errors=True)

    async def link_into(self, app: Path, said: Callable[[str], None]) -> None:
        """Give an app its `node_modules`, installed now if this lock file is new."""
        package = package_of(app)
        if not any(package.get(name) for name in _DEPENDENCY_FIELDS[:3]):
            return
        digest = _digest(app, package)
        installed = self._folder / digest
        async with self._locks.setdefault(digest, asyncio.Lock()):
            if installed.exists():
                said("Restored the packages of an earlier deployment with the same lock file.")
            else:
                await self._install(app, package, installed, said)
        link = app / "node_modules"
        if link.is_symlink() or link.exists():
            message = (
                "the deployment brings a node_modules of its own: leave it out, it is installed from the lock file"
            )
            raise InstallError(message)
        link.symlink_to(installed / "node_modules")

    async def _install(self, app: Path, package: dict[str, Any], installed: Path, said: Callable[[str], None]) -> None:
        draft = private_folder(self._folder / f".draft-{new_id(length=12)}")
        try:
            # Without its scripts: they belong to the app's files, which aren't here.
            bare = {name: value for name, value in package.items() if name != "scripts"}
            (draft / "package.json").write_text(json.dumps(bare))
            for name in (*_LOCK_FILES, ".npmrc"):
                if (app / name).exists():
                    shutil.copyfile(app / name, draft / name)
            verb = "ci" if any((draft / name).exists() for name in _LOCK_FILES) else "install"
            said(f"Running npm {verb}")
            code = await run(
                [executable("npm"), verb, *_OPTIONS],
                cwd=draft,
                environment=install_environment(self._home),
                ledger=self._ledger,
                said=said,
            )
            if code:
                message = f"npm {verb} exited with {code}"
                raise InstallError(message)
            (draft / "node_modules").mkdir(exist_ok=True)
            draft.rename(installed)
        finally:
            if draft.exists():
                await asyncio.to_thread(shutil.rmtree, draft)


def package_of(app: Path) -> dict[str, Any]:
    """The app's package.json; empty if there is none."""
    try:
        package = json.loads((app / "package.json").read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        message = f"package.json is no JSON: {error}"
        raise InstallError(message) from error
    return package if isinstance(package, dict) else {}


def _digest(app: Path, package: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps({name: package.get(name) for name in _DEPENDENCY_FIELDS}, sort_keys=True).encode())
    for name in (*_LOCK_FILES, ".npmrc"):
        path = app / name
        digest.update(name.encode() + (path.read_bytes() if path.exists() else b"\0"))
    return digest.hexdigest()[:32]
