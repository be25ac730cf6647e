"""The versions of Postgres on this machine: one that a project gets by default, and older ones that it may ask for.

A data directory says itself which version may open it, so nothing else has to remember it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localcloud.neon.installation import Installation, InstallationError

_OLDEST = 15
"""A running parent is copied between pg_backup_start and pg_backup_stop, which came with this version."""

_DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Installations:
    """What is installed, by major version."""

    default: Installation
    by_major: dict[int, Installation]

    @classmethod
    def find(cls, pg_bin: Path | None = None, others: Path = _DEBIAN) -> Installations:
        """The default one as `Installation.find` has it, and older ones that Debian's packages put below `others`."""
        default = Installation.find(pg_bin)
        found = {default.major: default}
        for folder in sorted(others.glob("[0-9][0-9]/bin")):
            major = int(folder.parent.name)
            if _OLDEST <= major < default.major and (folder / "initdb").exists():
                found[major] = Installation(folder)
        return cls(default, dict(sorted(found.items())))

    def of(self, data: Path) -> Installation:
        """The one that may open a data directory."""
        return self.installed(int((data / "PG_VERSION").read_text()))

    def installed(self, major: int) -> Installation:
        """The one of a version; InstallationError if it was removed since a project was made with it."""
        if major not in self.by_major:
            raise InstallationError(f"Postgres {major} isn't installed any more: install Debian's postgresql-{major}")
        return self.by_major[major]
