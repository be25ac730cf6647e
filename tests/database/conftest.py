"""The fixtures of tests/resources: a Neon of the tests' own over real Postgres, and a database on it."""

from tests.resources.conftest import database, host, owner, project, server_log

__all__ = ["database", "host", "owner", "project", "server_log"]
