"""The real Pulumi engine on machines that reach package registries only, and what it needs beside it."""

from localcloud.engine.build import BuildError
from localcloud.engine.installation import VERSION, ensure
from localcloud.engine.scripts import install_plugins
from localcloud.engine.surroundings import environment

__all__ = ["VERSION", "BuildError", "ensure", "environment", "install_plugins"]
