"""Starts the plugin: `python -m environments.plugin ENGINE` prints the port that the engine connects to."""

from __future__ import annotations

import importlib
import importlib.util
import signal
import sys
from pathlib import Path
from types import ModuleType


def import_protocol_only() -> None:
    """Make Pulumi's protocol importable without the rest of its SDK, which takes 0.2 s and is not needed here."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the package pulumi is not installed in this environment")
    at = Path(spec.submodule_search_locations[0])
    for name, folder in (
        ("pulumi", at),
        ("pulumi.runtime", at / "runtime"),
        ("pulumi.runtime.proto", at / "runtime" / "proto"),
    ):
        module = ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module


def main(engine: str) -> None:
    """Serve until the engine at the address `engine` ends this process, or is gone."""
    # A handler in Python can miss a signal that arrives just before the main thread waits; the engine then waits 5 s.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_protocol_only()
    server = importlib.import_module("environments.plugin.server")
    server.serve(engine)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
