"""The pristine cluster that every project is a copy of, made once for each installed Postgres.

It holds `neon_superuser`, an owner without a password and an empty database, so that a new project needs no initdb.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import subprocess
from pathlib import Path
from threading import Event

from localcloud.neon import catalog, configuration, sizing
from localcloud.neon.compute import Compute, end_leftover
from localcloud.neon.copying import copy_tree, remove_tree
from localcloud.neon.installation import Installation, InstallationError

# Raised whenever the cluster below is made differently.
_RECIPE = 2

# Smaller than usual: a branch copies the segments that were written during its copy.
WAL_SEGMENT_MB = 4


class Template:
    """A stopped cluster to copy."""

    def __init__(self, installation: Installation, folder: Path, sockets: Path) -> None:
        self._installation = installation
        self._sockets = sockets
        path = hashlib.sha256(str(installation.bin).encode()).hexdigest()[:8]
        self._folder = folder / f"postgres-{installation.version}-{path}-{_RECIPE}"

    async def prepare(self) -> None:
        """Make the cluster unless it is there."""
        if self._folder.exists():
            return
        draft = self._folder.with_name(f"{self._folder.name}.draft")
        await end_leftover(draft / "data")
        await asyncio.to_thread(remove_tree, draft)
        draft.mkdir(parents=True, mode=0o700)
        data = draft / "data"
        await asyncio.to_thread(self._initdb, data)
        write_authentication(self._installation, data)
        write_settings(self._installation, data, sockets=self._sockets, sizes=sizing.settings(0.25, 0.25))
        compute = Compute(self._installation, data, self._sockets, draft / "compute.log")
        await compute.start()
        try:
            async with catalog.connect(compute.sockets) as connection:
                await catalog.make_pristine(connection)
        finally:
            await compute.stop()
        draft.replace(self._folder)

    @property
    def name(self) -> str:
        """What tells this cluster from those of other installations; its folder outlives them."""
        return self._folder.name

    async def copy_to(self, data: Path) -> int:
        """Copy the cluster and return its size in bytes."""
        return await asyncio.to_thread(
            copy_tree, self._folder / "data", data, self._installation, skip=lambda _: False, cancelled=Event()
        )

    def _initdb(self, data: Path) -> None:
        data.mkdir(mode=0o700)
        self._installation.give(data)
        arguments = [
            f"--pgdata={data}",
            f"--username={configuration.SUPERUSER}",
            f"--wal-segsize={WAL_SEGMENT_MB}",
            "--auth=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        if self._installation.major >= 17:
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = subprocess.run(
            self._installation.command("initdb", *arguments),
            cwd=data,
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InstallationError(f"initdb failed: {done.stderr.strip()}")


def write_authentication(installation: Installation, data: Path) -> None:
    """Write who may connect and how, which is the same for every branch."""
    _write(installation, data / "pg_hba.conf", configuration.host_based_authentication())
    _write(installation, data / "pg_ident.conf", configuration.identity_map(pwd.getpwuid(os.geteuid()).pw_name))


def write_settings(
    installation: Installation,
    data: Path,
    *,
    sockets: Path,
    sizes: dict[str, str],
    identity: dict[str, str] | None = None,
    trusted_extensions: Path | None = None,
    recovery: dict[str, str] | None = None,
) -> None:
    """Write postgresql.conf, and drop what ALTER SYSTEM may have left in a copied directory."""
    text = configuration.server_settings(
        installation.major,
        sockets=sockets,
        sizes=sizes,
        identity=identity or {},
        trusted_extensions=trusted_extensions,
        recovers_backup=(data / "backup_label").exists(),
        recovery=recovery or {},
    )
    _write(installation, data / "postgresql.conf", text)
    _write(installation, data / "postgresql.auto.conf", "")


def _write(installation: Installation, path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    installation.give(path)
