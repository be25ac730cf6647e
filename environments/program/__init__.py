"""What a Pulumi program uses of this library. A `__main__.py` needs `read_topology`, its components need `own`."""

from environments.program.topology import read_topology

__all__ = ["read_topology"]
