"""Whose schemas are whose in a database: the app's own, as against those of Postgres and of Neon."""

from __future__ import annotations

from environments.clients.postgres import Connection

_SCHEMAS = """
SELECT n.nspname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND NOT (n.nspname IN ('neon', 'neon_migration') AND r.rolsuper)
ORDER BY n.nspname
"""
"""Neon's own schemas belong to its superuser; a schema of the same name that a user made is the app's."""


def user_schemas(connection: Connection) -> list[str]:
    """Return the schemas that hold the app's own tables."""
    return [str(name) for (name,) in connection.execute(_SCHEMAS).fetchall()]
