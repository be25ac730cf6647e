"""A Vercel on this machine: the API that its clients speak, and an edge that really serves deployments."""

from localcloud.vercel.cloud import VercelCloud

__all__ = ["VercelCloud"]
