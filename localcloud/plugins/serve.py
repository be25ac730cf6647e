"""Starts a stand-in plugin: `python -m localcloud.plugins.serve neon` prints the port that the engine connects to."""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

PACKAGES = {"terraform-provider": "localcloud.plugins.neon", "vercel": "localcloud.plugins.vercel"}
_WATCH_SECONDS = 0.5
_END_SECONDS = 30


def _import_protocol_only() -> None:
    """Makes Pulumi's protocol importable without the rest of its SDK, which takes three times as long to load."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the package pulumi is not installed in this environment")
    at = Path(spec.submodule_search_locations[0])
    for name, directory in (
        ("pulumi", at),
        ("pulumi.runtime", at / "runtime"),
        ("pulumi.runtime.proto", at / "runtime" / "proto"),
    ):
        module = ModuleType(name)
        module.__path__ = [str(directory)]
        sys.modules[name] = module


def main(plugin: str) -> None:
    """Serves until the engine ends it, or is gone; calls that run then may end."""
    engine = os.getppid()
    # A handler in Python can miss a signal that arrives just before the main thread waits; the engine then waits 5 s.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _import_protocol_only()
    server = importlib.import_module("localcloud.plugins.server")
    package = importlib.import_module(PACKAGES[plugin]).PACKAGE
    running, port = server.listen(package)
    print(port, flush=True)
    while os.getppid() == engine:
        running.wait_for_termination(timeout=_WATCH_SECONDS)
    running.stop(grace=_END_SECONDS).wait()


if __name__ == "__main__":
    main(sys.argv[1])
