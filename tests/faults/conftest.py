"""The worlds of the end-to-end tests, here for tests that pull the plug."""

from tests.e2e.conftest import bare, cloud, emptied, world

__all__ = ["bare", "cloud", "emptied", "world"]
