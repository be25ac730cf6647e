"""How pg_dump and pg_restore are found and run, of the newer server's version: older ones can't read a newer server.

They get addresses and passwords by environment: every user of the machine can read a command line. Of what they
print only the lines with `error:` are shown, not DETAIL and CONTEXT, which quote rows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from environments.clients.deadline import out_of_time, seconds_left
from environments.clients.lazy_imports import psycopg
from environments.errors import FailedError

FOLDER_VARIABLE = "POSTGRES_BIN"
SESSION = "environments-transfer"
"""What the sessions of both programs are called on their server, so that those of a killed run can be ended."""

JOBS = 4
LOCK_WAIT = "10s"

_DEBIAN = Path("/usr/lib/postgresql")
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


class DumpError(FailedError):
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


def finish(process: subprocess.Popen[str], program: str) -> str:
    """Wait for a program and return what it printed; DumpError with its reasons if it failed.

    Raises OutOfTimeError, with the program ended, where a time limit is used up.
    """
    try:
        output, errors = process.communicate(timeout=seconds_left())
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise out_of_time(f"{program} did not end in time") from None
    if process.returncode:
        raise DumpError(f"{program} ended with {process.returncode}: {_reasons(errors)}")
    return output


def start(tools: Tools, program: str, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start one of the two programs, with nothing but `environment`."""
    return subprocess.Popen(
        [tools.folder / program, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def connection_of(uri: str) -> dict[str, str]:
    """Return the variables that say where to connect and as whom; no token of ours is among them."""
    given = psycopg.conninfo.conninfo_to_dict(uri)
    if unknown := sorted(given.keys() - _VARIABLES.keys()):
        raise DumpError(f"pg_dump takes no {', '.join(unknown)} by environment, and the database's URL has it")
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
        answer = subprocess.run(asked, env=_harmless(), capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\) (\d+)", answer)
    return int(found[1]) if found else None


def _reasons(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if "error:" in line.lower()]
    return "; ".join(lines[:3]) or "it gave no reason"
