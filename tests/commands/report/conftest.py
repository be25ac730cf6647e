"""The local cloud and a world with nothing brought up, here for the previews of the report."""

from tests.e2e.conftest import bare, cloud, emptied

__all__ = ["bare", "cloud", "emptied"]
