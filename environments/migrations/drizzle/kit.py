"""`drizzle-kit migrate`, for journals of drizzle-kit 0.x.

It runs with a configuration of our own, so that neither the app's configuration nor its variables decide which database
is migrated; the URL is in the environment only. It exits without a word on an error: listener.cjs, loaded into it,
hears what the database answers.

The format of 1.0 (seen with 1.0.0-rc.5) is run by our own transaction, which is what its migrator does: every migration
whose name isn't in the table, in one transaction, with hash, time and name noted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from environments.clients.lazy_imports import psycopg
from environments.clients.postgres import NotReadyError, connected
from environments.migrations.errors import MigrationFailedError, find_statement
from environments.migrations.result import StatementTime
from environments.migrations.session import Limits, end_sessions

if TYPE_CHECKING:
    from environments.migrations.run import Pending

_LISTENER = Path(__file__).with_name("listener.cjs")
_CONFIGURATION = """export default {
  dialect: "postgresql",
  out: process.env.ENVIRONMENTS_FOLDER,
  dbCredentials: { url: process.env.ENVIRONMENTS_URL },
  migrations: { schema: process.env.ENVIRONMENTS_SCHEMA, table: process.env.ENVIRONMENTS_TABLE },
};
"""
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")


@dataclass(frozen=True)
class _Heard:
    """One line of the listener: a statement and its milliseconds, or an error with its code, if it has one."""

    text: str | None = None
    ms: float | None = None
    code: str | None = None
    message: str = ""


def run_kit(todo: Pending, limits: Limits) -> tuple[StatementTime, ...]:
    """Run `drizzle-kit migrate`, for at most `limits.run` seconds; what it says is not believed, what it does is."""
    kit = find_kit(todo.folder)
    schema, _, table = todo.table.partition(".")
    with tempfile.TemporaryDirectory(prefix="migration-") as name:
        private = Path(name)
        configuration = private / "drizzle.config.mjs"
        configuration.write_text(_CONFIGURATION)
        report = private / "report"
        environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ} | {
            "ENVIRONMENTS_FOLDER": str(todo.folder.resolve()),
            "ENVIRONMENTS_URL": limits.url(todo.url),
            "ENVIRONMENTS_SCHEMA": schema,
            "ENVIRONMENTS_TABLE": table,
            "ENVIRONMENTS_REPORT": str(report),
            "ENVIRONMENTS_PARENT": str(os.getpid()),
            "NODE_OPTIONS": f"--require {json.dumps(str(_LISTENER))}",
        }
        command = [str(kit), "migrate", f"--config={configuration}"]
        status = _run(command, kit.parents[2], environment, todo, limits)
        heard = _heard(report)
    if status:
        raise _failure(todo, heard, status)
    return _times(todo, heard)


def find_kit(folder: Path) -> Path:
    """Return the drizzle-kit of the app that the folder belongs to."""
    for parent in folder.resolve().parents:
        if (kit := parent / "node_modules" / ".bin" / "drizzle-kit").exists():
            return kit
    raise MigrationFailedError(
        f"drizzle-kit is installed in no folder above {folder.name}", remedy="Run npm ci in the app's folder"
    )


def _run(command: list[str], folder: Path, environment: dict[str, str], todo: Pending, limits: Limits) -> int:
    """Return drizzle-kit's exit status; one that hangs is ended, with all that it started and its session."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limits.run)
    except subprocess.TimeoutExpired:
        raise MigrationFailedError(
            f"drizzle-kit did not end within {limits.run:.0f} s and was ended, with its session",
            remedy="Check whether another session holds locks, then run pulumi up again",
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            end_sessions(todo.url, limits)


def _heard(report: Path) -> list[_Heard]:
    if not report.exists():
        return []
    whole = [line for line in report.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [_Heard(**json.loads(line)) for line in whole]


def _failure(todo: Pending, heard: list[_Heard], status: int) -> MigrationFailedError:
    for entry in heard:
        if entry.code is None:
            continue
        if found := find_statement(todo.pending, entry.text or ""):
            return MigrationFailedError.of_report(entry.code, entry.message, *found, first=not todo.applied)
        return MigrationFailedError(entry.message, sqlstate=entry.code)
    return _unheard(todo, status)


def _unheard(todo: Pending, status: int) -> MigrationFailedError:
    """Return what can be found out about a drizzle-kit that said nothing: whether the database can be reached."""
    ended = f"was killed by signal {-status}" if status < 0 else f"exited with status {status} and said nothing"
    try:
        with connected(todo.url, wait_seconds=0):
            reachable = "The database takes connections"
    except (NotReadyError, psycopg.Error) as error:
        reachable = str(error)
    return MigrationFailedError(f"drizzle-kit {ended}. {reachable}", remedy="Run pulumi up again")


def _times(todo: Pending, heard: list[_Heard]) -> tuple[StatementTime, ...]:
    times = []
    for entry in heard:
        found = find_statement(todo.pending, entry.text or "")
        if found and entry.ms is not None:
            migration, number = found
            times.append(StatementTime(file=migration.file, number=number, seconds=round(entry.ms / 1000, 3)))
    return tuple(times)
