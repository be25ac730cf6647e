"""pg_restore: a dump into an empty database, where everything becomes its owner's.

What belongs to Neon's own superuser is left out, as Neon's guide for imports wants it.
"""

from __future__ import annotations

import re
from pathlib import Path

from environments.clients.lazy_imports import psycopg
from environments.database.copy.programs import JOBS, Tools, connection_of, finish, start
from environments.ids import RoleName

_SERVICE = "cloud_admin"
_ENTRY = re.compile(r"\d+; \d+ \d+ (?P<what>.+) (?P<owner>\S*)")


def restore(tools: Tools, uri: str, dump: Path, owner: RoleName) -> None:
    """Restore a dump into an empty database; everything in it becomes `owner`'s."""
    variables = connection_of(uri)
    listing = finish(start(tools, "pg_restore", ["--list", str(dump)], variables), "pg_restore")
    contents = dump.with_suffix(".list")
    contents.write_text("\n".join(line for line in listing.splitlines() if _is_ours(line, owner)) + "\n")
    arguments = [
        f"--dbname={psycopg.conninfo.make_conninfo(dbname=variables['PGDATABASE'])}",
        f"--jobs={JOBS}",
        f"--use-list={contents}",
        "--exit-on-error",
        "--no-owner",
        "--no-tablespaces",
        "--no-password",
        str(dump),
    ]
    finish(start(tools, "pg_restore", arguments, variables), "pg_restore")


def _is_ours(line: str, owner: RoleName) -> bool:
    """Tell whether the owner can restore an entry of a dump's list.

    The owner can't create what Neon's own superuser created, and can't set the default privileges of others. Extensions
    belong to that superuser, and so do their comments.
    """
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        return True
    if entry["what"].startswith("DEFAULT ACL "):
        return entry["owner"] == owner
    return entry["owner"] != _SERVICE and not entry["what"].startswith(("COMMENT - EXTENSION ", "EXTENSION - neon"))
