"""Where data directories and sockets lie, and how a compute is started over one of them with an endpoint's settings."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from localcloud.neon import sizing
from localcloud.neon.compute import Compute, ComputeError
from localcloud.neon.copying import remove_tree
from localcloud.neon.installation import Installation, InstallationError
from localcloud.neon.installations import Installations
from localcloud.neon.records import Endpoint
from localcloud.neon.template import Template, write_authentication, write_settings

_ATTEMPTS = 3

# A socket's path may have 107 bytes at most, and the state may lie anywhere: so sockets have a short home of their own.
_SOCKET_HOME = "/tmp"  # noqa: S108 - the folder made in it is private


class Launcher:
    """Starts computes of one state folder, each with the Postgres that its data directory is made for."""

    def __init__(self, state: Path, installations: Installations) -> None:
        self.installations = installations
        self.branches = state / "branches"
        self.trash = state / "trash"
        self.templates = state / "templates"
        self._extensions = state / "extensions"
        self._trusting: set[int] = set()
        self._preparing = asyncio.Lock()
        self._sockets_note = state / "sockets"
        self._sockets = Path()

    async def prepare(self) -> None:
        """Make the folders, a new one for sockets among them, and the pristine cluster of the default version."""
        for folder in (self.branches, self.trash, self.templates):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            remove_tree(Path(self._sockets_note.read_text()))
        self._sockets = Path(tempfile.mkdtemp(prefix="neon-", dir=_SOCKET_HOME))
        default = self.installations.default
        default.give(self._sockets)
        self._sockets_note.write_text(str(self._sockets))
        if default.write_trusted_extensions(self._extensions):
            self._trusting.add(default.major)
        await self.template(default.major)

    async def template(self, major: int) -> Template:
        """The pristine cluster of a version, made if it isn't there yet."""
        template = Template(self.installations.installed(major), self.templates, self._sockets / f"template-{major}")
        async with self._preparing:
            await template.prepare()
        return template

    def clear(self) -> None:
        """Remove the folder for sockets."""
        remove_tree(self._sockets)
        self._sockets_note.unlink(missing_ok=True)

    def data(self, folder: str) -> Path:
        """The data directory in a branch's folder."""
        return self.branches / folder / "data"

    def base(self, name: str) -> Path:
        """The data directory of a pristine cluster that a project once started from."""
        return self.templates / name / "data"

    def throw_away(self, folder: str) -> None:
        """Move a branch's folder to the trash at once; emptying that takes its time."""
        with suppress(FileNotFoundError):
            (self.branches / folder).rename(self.trash / f"{folder}-{secrets.token_hex(4)}")

    async def launch(self, endpoint: Endpoint, data: Path) -> Compute:
        """A compute of the endpoint's size that takes connections."""
        installation = self._installation(data)
        compute = Compute(installation, data, self._sockets / endpoint.id, data.parent / "compute.log")
        write_authentication(installation, data)
        write_settings(
            installation,
            data,
            sockets=compute.sockets,
            sizes=sizing.settings(endpoint.min_cu, endpoint.max_cu),
            identity={
                "neon.project_id": endpoint.project_id,
                "neon.branch_id": endpoint.branch_id,
                "neon.endpoint_id": endpoint.id,
            },
            trusted_extensions=self._extensions if installation.major in self._trusting else None,
        )
        for attempt in range(1, _ATTEMPTS):
            try:
                await compute.start()
                break
            except ComputeError:
                # Backends of a killed postmaster hold its shared memory for another moment.
                await asyncio.sleep(0.1 * attempt)
        else:
            await compute.start()
        _remove_marks(data)
        return compute

    async def launch_privately(self, data: Path, recovery: dict[str, str] | None = None) -> Compute:
        """A compute over a branch in the making, which no client can reach."""
        sockets = self._sockets / f"private-{secrets.token_hex(4)}"
        installation = self._installation(data)
        compute = Compute(installation, data, sockets, data.parent / "compute.log")
        write_authentication(installation, data)
        write_settings(
            installation,
            data,
            sockets=compute.sockets,
            sizes=sizing.settings(1, 1),
            trusted_extensions=self._extensions if installation.major in self._trusting else None,
            recovery=recovery,
        )
        await compute.start()
        _remove_marks(data)
        return compute

    def _installation(self, data: Path) -> Installation:
        try:
            return self.installations.of(data)
        except InstallationError as error:
            raise ComputeError(str(error)) from None


def _remove_marks(data: Path) -> None:
    """Remove the empty histories that kept a timeline's number from being taken."""
    for mark in (data / "pg_wal").glob("*.history"):
        if not mark.stat().st_size:
            mark.unlink()
