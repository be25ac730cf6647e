"""Uploaded files by the sha1 of their content, as Vercel keeps them: an upload is never repeated."""

import asyncio
import hashlib
import os
import re
import shutil
from pathlib import Path

import aiohttp

from localcloud.private_files import FILE_MODE, private_folder
from localcloud.vercel.errors import BadRequestError
from localcloud.vercel.models import DeployedFile, new_id

_SHA1 = re.compile(r"[0-9a-f]{40}")


class Blobs:
    """A folder of contents, each in a file that is named after its digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)
        for draft in folder.glob(".draft-*"):
            draft.unlink()

    def has(self, sha: str) -> bool:
        """Whether this content was uploaded."""
        return bool(_SHA1.fullmatch(sha)) and (self._folder / sha).exists()

    def add(self, content: bytes) -> str:
        """Keep a content that is in memory; returns its digest."""
        sha = _digest(content)
        if not self.has(sha):
            draft = self._draft()
            draft.write_bytes(content)
            draft.replace(self._folder / sha)
        return sha

    async def receive(self, stream: aiohttp.StreamReader, expected: str | None) -> str:
        """Keep an upload; refuse it where the content isn't what its digest says."""
        draft = self._draft()
        digest = hashlib.sha1(usedforsecurity=False)
        try:
            with draft.open("wb") as file:
                async for chunk in stream.iter_any():
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
            if expected is not None and digest.hexdigest() != expected.lower():
                message = f"the file's sha1 is {digest.hexdigest()}, the header x-vercel-digest says {expected}"
                raise BadRequestError(message, code="invalid_digest")
            draft.replace(self._folder / digest.hexdigest())
        finally:
            draft.unlink(missing_ok=True)
        return digest.hexdigest()

    def lay_out(self, files: list[DeployedFile], folder: Path) -> None:
        """Copy the files to their places: copies, since a build may change them."""
        for file in files:
            place = folder / file.path
            private_folder(place.parent)
            shutil.copyfile(self._folder / file.sha, place)
            place.chmod(0o700 if file.mode & 0o111 else FILE_MODE)

    def _draft(self) -> Path:
        path = self._folder / f".draft-{new_id(length=12)}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        return path


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
