"""Neon on this machine: its API v2 over real Postgres, with branches and computes that scale to zero."""

from localcloud.neon.cloud import AlreadyRunningError, NeonCloud

__all__ = ["AlreadyRunningError", "NeonCloud"]
