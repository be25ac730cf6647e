"""pg_dump and pg_restore, of the version that is to be reached: an older one can't read what a newer server has.

Addresses and passwords go to them by environment: a command line can be read by every user of the machine. What they
say of an error is told without its DETAIL and CONTEXT, which quote rows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from environments.clients.lazy_imports import psycopg

FOLDER_VARIABLE = "POSTGRES_BIN"
SESSION = "environments-transfer"
"""What the sessions of both programs are called on their server, so that those of a killed run can be ended."""

_DEBIAN = Path("/usr/lib/postgresql")
_JOBS = 4
_LOCK_WAIT = "10s"
_PASSED_ON = ("PATH", "HOME", "TMPDIR")
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "channel_binding": "PGCHANNELBINDING",
}

_SERVICE = "cloud_admin"
_ENTRY = re.compile(r"\d+; \d+ \d+ (?P<what>.+) (?P<owner>\S*)")


class DumpError(Exception):
    """A dump could not be made or restored."""


@dataclass(frozen=True)
class Tools:
    """The folder that holds both programs, and their version."""

    folder: Path
    major: int


def find_tools(major: int) -> Tools:
    """Return the programs for a server of version `major`: of the same one, or the next newer one that is there.

    They are looked for in the folder that POSTGRES_BIN names, on PATH and where Debian's packages put them.
    """
    found = [Tools(folder, version) for folder in _folders() if (version := _version(folder / "pg_dump"))]
    usable = [tools for tools in found if tools.major >= major]
    if not usable:
        seen = ", ".join(f"{tools.major} in {tools.folder}" for tools in found) or "none"
        raise DumpError(
            f"pg_dump and pg_restore of Postgres {major} or newer are needed, found: {seen}. Install "
            f"postgresql-client-{major}, or set {FOLDER_VARIABLE} to their folder"
        )
    return min(usable, key=lambda tools: tools.major)


def start_dump(tools: Tools, uri: str, snapshot: str, target: Path) -> subprocess.Popen[str]:
    """Begin to dump the whole database as of an exported snapshot into the new folder `target`."""
    arguments = [
        "--format=directory",
        f"--jobs={_JOBS}",
        "--compress=1",
        f"--file={target}",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCK_WAIT}",
        "--no-password",
    ]
    return _start(tools, "pg_dump", arguments, _environment(uri))


def restore(tools: Tools, uri: str, dump: Path, owner: str) -> None:
    """Restore a dump into an empty database; everything in it becomes `owner`'s."""
    listing = finish(_start(tools, "pg_restore", ["--list", str(dump)], _environment(uri)), "pg_restore")
    contents = dump.with_suffix(".list")
    contents.write_text("\n".join(line for line in listing.splitlines() if _is_ours(line, owner)) + "\n")
    variables = _environment(uri)
    arguments = [
        f"--dbname={psycopg.conninfo.make_conninfo(dbname=variables['PGDATABASE'])}",
        f"--jobs={_JOBS}",
        f"--use-list={contents}",
        "--exit-on-error",
        "--no-owner",
        "--no-tablespaces",
        "--no-password",
        str(dump),
    ]
    finish(_start(tools, "pg_restore", arguments, variables), "pg_restore")


def finish(process: subprocess.Popen[str], program: str) -> str:
    """Wait for a program and return what it printed; DumpError with its reasons if it failed."""
    output, errors = process.communicate()
    if process.returncode:
        raise DumpError(f"{program} ended with {process.returncode}: {_reasons(errors)}")
    return output


def _is_ours(line: str, owner: str) -> bool:
    """Tell whether an entry of a dump's list can be restored by the owner.

    What Neon's own superuser made isn't the owner's to make. Default privileges of others aren't the owner's to set,
    and extensions belong to that superuser, so that their comments aren't the owner's either.
    """
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        return True
    if entry["what"].startswith("DEFAULT ACL "):
        return entry["owner"] == owner
    return entry["owner"] != _SERVICE and not entry["what"].startswith(("COMMENT - EXTENSION ", "EXTENSION - neon"))


def _start(tools: Tools, program: str, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [tools.folder / program, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _environment(uri: str) -> dict[str, str]:
    """Return the variables of a child: where to connect and as whom, and no token of ours."""
    given = psycopg.conninfo.conninfo_to_dict(uri)
    if unknown := sorted(given.keys() - _VARIABLES.keys()):
        raise DumpError(f"the database's URL has {', '.join(unknown)}, which pg_dump can't be given by environment")
    return _harmless() | {"PGAPPNAME": SESSION} | {_VARIABLES[key]: str(value) for key, value in given.items()}


def _harmless() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | {"LC_ALL": "C"}


def _folders() -> list[Path]:
    named, found = os.environ.get(FOLDER_VARIABLE), shutil.which("pg_dump")
    on_path = [Path(found).parent] if found else []
    return [*([Path(named)] if named else []), *on_path, *sorted(_DEBIAN.glob("*/bin"))]


def _version(program: Path) -> int | None:
    try:
        asked = [str(program), "--version"]
        said = subprocess.run(asked, env=_harmless(), capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else None


def _reasons(errors: str) -> str:
    told = [line.strip() for line in errors.splitlines() if "error:" in line.lower()]
    return "; ".join(told[:3]) or "no reason given"
