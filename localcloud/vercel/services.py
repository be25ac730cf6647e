"""The parts of the local Vercel that its API speaks to."""

from dataclasses import dataclass

from localcloud.vercel.aliasing import Aliasing
from localcloud.vercel.blobs import Blobs
from localcloud.vercel.deployments import Deployments
from localcloud.vercel.projects import Projects
from localcloud.vercel.store import Store
from localcloud.vercel.variables import Variables


@dataclass(frozen=True, kw_only=True)
class Services:
    """Put together once per process."""

    store: Store
    blobs: Blobs
    aliasing: Aliasing
    projects: Projects
    variables: Variables
    deployments: Deployments
