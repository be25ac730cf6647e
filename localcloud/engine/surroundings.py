"""What must be set for the engine to find its tools and to stay on this machine."""

import os
from collections.abc import Mapping
from pathlib import Path

_LOCAL = ("127.0.0.1", "localhost")


def environment(tools: Path, pulumi_home: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables of a local run. The backend's URL and the passphrase are the caller's."""
    path = inherited.get("PATH", os.defpath).split(os.pathsep)
    proxy = (inherited.get("NO_PROXY") or inherited.get("no_proxy") or "").split(",")
    own = str(tools / "bin")
    # Python's gRPC would send the engine's own traffic to a proxy.
    no_proxy = ",".join([*_LOCAL, *(host for host in proxy if host and host not in _LOCAL)])
    return {
        "PATH": os.pathsep.join([own, *(entry for entry in path if entry and entry != own)]),
        "PULUMI_HOME": str(pulumi_home),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }
