"""drizzle: `drizzle-kit migrate` for journals of 0.x, and what drizzle notes in its table, for both formats.

drizzle-kit is run with a configuration of our own, so that neither the app's configuration nor its variables decide
which database is migrated; the URL is in the environment only. What it doesn't say is heard by listener.cjs.

The format of 1.0 (seen with 1.0.0-rc.5) is run by our own transaction, which is what its migrator does: every migration
whose name isn't in the table, in one transaction, with hash, time and name noted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments.clients.lazy_imports import psycopg, sql
from environments.clients.postgres import Connection, NotReadyError, connected
from environments.migrations.limits import APPLICATION, Limits
from environments.migrations.model import Migration
from environments.migrations.result import MigrationFailedError, StatementTime, find_statement

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_SCHEMA = "CREATE SCHEMA IF NOT EXISTS {}"
_JOURNAL_TABLE = "CREATE TABLE IF NOT EXISTS {} (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)"
_FOLDERS_TABLE = """
CREATE TABLE IF NOT EXISTS {} (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint,
                               name text, applied_at timestamp with time zone DEFAULT now())
"""
_NAMED = "SELECT true FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'name' AND NOT attisdropped"


def kit_run(todo: Pending, limits: Limits) -> tuple[StatementTime, ...]:
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


def record_journal(connection: Connection, migration: Migration, table: str) -> None:
    """Note a migration in `table`, a schema and a name, as drizzle 0.x does."""
    name = _make_table(connection, table, _JOURNAL_TABLE)
    query = sql.SQL("INSERT INTO {} (hash, created_at) VALUES (%s, %s)").format(name)
    connection.execute(query, (migration.hash, migration.order))


def record_folder(connection: Connection, migration: Migration, table: str, folder: Sequence[Migration]) -> None:
    """Note a migration as drizzle 1.0 does; a table of 0.x gets its columns and, from `folder`, the names."""
    name = _make_table(connection, table, _FOLDERS_TABLE)
    if not connection.execute(_NAMED, (name.as_string(connection),)).fetchone():
        _name_rows(connection, name, folder)
    query = sql.SQL("INSERT INTO {} (hash, created_at, name) VALUES (%s, %s, %s)").format(name)
    connection.execute(query, (migration.hash, _milliseconds(migration), migration.tag))


def _make_table(connection: Connection, table: str, statement: str) -> sql.Identifier:
    schema, _, name = table.partition(".")
    connection.execute(sql.SQL(_SCHEMA).format(sql.Identifier(schema)))
    found = sql.Identifier(schema, name)
    connection.execute(sql.SQL(statement).format(found))
    return found


def _name_rows(connection: Connection, table: sql.Identifier, folder: Sequence[Migration]) -> None:
    for column in ("name text", "applied_at timestamp with time zone DEFAULT now()"):
        connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN " + column).format(table))
    rows = connection.execute(sql.SQL("SELECT id, hash, created_at FROM {}").format(table)).fetchall()
    for number, hash_, created_at in rows:
        same = [each for each in folder if _milliseconds(each) // 1000 == int(created_at) // 1000]
        found = [each for each in same if each.hash == hash_] or same[:1]
        found = found or [each for each in folder if each.hash == hash_]
        if not found:
            raise MigrationFailedError(
                f"row {number} of drizzle's table, which 0.x wrote, is explained by no folder",
                remedy="Bring back the folder that drizzle-kit up made of that migration",
            )
        query = sql.SQL("UPDATE {} SET name = %s, applied_at = NULL WHERE id = %s").format(table)
        connection.execute(query, (found[0].tag, number))


def _milliseconds(migration: Migration) -> int:
    moment = datetime.strptime(migration.tag[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _run(command: list[str], folder: Path, environment: dict[str, str], todo: Pending, limits: Limits) -> int:
    """Return drizzle-kit's exit status; what hangs is ended, with all that it started and its session."""
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
            remedy="See whether something else holds locks, then run pulumi up again",
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            end_sessions(todo.url, limits)


def end_sessions(url: str, limits: Limits) -> int:
    """End the sessions of runs whose runner is gone, whose transactions are rolled back by that; return how many."""
    query = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name = %s AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    with connected(url, wait_seconds=limits.connect) as connection:
        return len(connection.execute(query, (APPLICATION,)).fetchall())


def _heard(report: Path) -> list[dict[str, Any]]:
    if not report.exists():
        return []
    whole = [line for line in report.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line) for line in whole]


def _failure(todo: Pending, heard: list[dict[str, Any]], status: int) -> MigrationFailedError:
    told = next((entry for entry in heard if "code" in entry), None)
    if told is None:
        return _unheard(todo, status)
    if found := find_statement(todo.pending, told.get("text") or ""):
        return MigrationFailedError.of_report(told["code"], told["message"], *found, first=not todo.applied)
    return MigrationFailedError(told["message"], sqlstate=told["code"])


def _unheard(todo: Pending, status: int) -> MigrationFailedError:
    """Return what can be found out about a drizzle-kit that said nothing: whether the database can be reached."""
    ended = f"was killed by signal {-status}" if status < 0 else f"exited with status {status} and said nothing"
    try:
        with connected(todo.url, wait_seconds=0):
            reachable = "The database takes connections"
    except (NotReadyError, psycopg.Error) as error:
        reachable = str(error)
    return MigrationFailedError(f"drizzle-kit {ended}. {reachable}", remedy="Run pulumi up again")


def _times(todo: Pending, heard: list[dict[str, Any]]) -> tuple[StatementTime, ...]:
    times = []
    for entry in heard:
        found = find_statement(todo.pending, entry.get("text") or "")
        if found and "ms" in entry:
            migration, number = found
            times.append(StatementTime(migration.file, number, migration.statements[number - 1], entry["ms"] / 1000))
    return tuple(times)
