"""The Neon of the tests' own, here for the tests of what a cutover asks of a database."""

from tests.resources.conftest import database, host, owner

__all__ = ["database", "host", "owner"]
