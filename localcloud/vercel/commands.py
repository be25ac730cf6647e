"""Runs the commands of a build, each line of their output given on as it comes."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from localcloud.vercel.ledger import Ledger, kill_rest

_LONGEST_LINE = 1 << 20

# What npm needs of this machine: registry, cache, certificates, proxies. For the install step alone.
_INSTALL_VARIABLES = (
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


def clean_environment(home: Path, *, tools: Path | None = None) -> dict[str, str]:
    """An environment without anything of the one who started the local cloud, but for PATH."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": f"{tools}{os.pathsep}{path}" if tools else path, "HOME": str(home), "LANG": "C.UTF-8"}


def install_environment(home: Path) -> dict[str, str]:
    """The clean environment, and the user's own way to the npm registry."""
    environment = clean_environment(home)
    environment |= {name: os.environ[name] for name in _INSTALL_VARIABLES if name in os.environ}
    own = {name: value for name, value in os.environ.items() if name.lower().startswith("npm_config_")}
    present = {name.lower() for name in own}
    user = Path.home()
    if "npm_config_userconfig" not in present and (user / ".npmrc").exists():
        own["npm_config_userconfig"] = str(user / ".npmrc")
    if "npm_config_cache" not in present:
        own["npm_config_cache"] = str(user / ".npm")
    return environment | own


def executable(name: str) -> str:
    """Where a tool lies on PATH."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not on PATH: deployments need Node 20 or newer, with npm"
        raise FileNotFoundError(message)
    return found


async def run(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], ledger: Ledger, said: Callable[[str], None]
) -> int:
    """Run one command to its end and return its exit code; a cancelled caller kills the command and its children."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=_LONGEST_LINE,
    )
    ledger.enter(process.pid)
    try:
        assert process.stdout is not None, "asked for a pipe"
        async for line in process.stdout:
            said(line.decode(errors="replace").rstrip())
        return await process.wait()
    finally:
        kill_rest(process)
        await process.wait()
        ledger.strike(process.pid)
