"""What a shell needs to meet the local cloud: the variables that also lead to the real ones, and the engine's."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from localcloud import engine
from localcloud.cloud import TOOLS, Cloud
from localcloud.packaged_postgres import packaged_postgres

_PROGRAMS = Path(sys.executable).parent
"""Where the Python that runs this is, with the command `localcloud` beside it."""


def command(*arguments: str) -> str:
    """Return what a user types for `localcloud` in the current folder."""
    own = _PROGRAMS / "localcloud"
    if not own.exists():
        return shlex.join(["python3", "-m", "localcloud", *arguments])
    if shutil.which("localcloud") == str(own):
        return shlex.join(["localcloud", *arguments])
    here = Path.cwd()
    return shlex.join([str(own.relative_to(here) if own.is_relative_to(here) else own), *arguments])


def evaluate() -> str:
    """Return what a user types so that a shell meets the local cloud."""
    return f'eval "$({command("env")})"'


def environment(cloud: Cloud, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables to set, those that extend an inherited one included (PATH, NO_PROXY)."""
    programs = str(_PROGRAMS)
    path = [entry for entry in inherited.get("PATH", os.defpath).split(os.pathsep) if entry != programs]
    with_python = {**inherited, "PATH": os.pathsep.join([programs, *path])}
    return {
        **engine.environment(TOOLS, cloud.pulumi_home, with_python),
        "NEON_API_KEY": cloud.neon_api_key,
        "NEON_API_HOST": cloud.neon_api_host,
        "VERCEL_API_TOKEN": cloud.vercel_api_token,
        "VERCEL_API_URL": cloud.vercel_api_url,
        "VERCEL_EDGE_URL": cloud.vercel_edge_url,
        "PULUMI_BACKEND_URL": cloud.pulumi_backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(cloud.passphrase_file),
        "PULUMI_ERROR_OUTPUT_STRING": "1",
        **({"POSTGRES_BIN": str(postgres)} if (postgres := packaged_postgres()) else {}),
    }


def export_lines(cloud: Cloud) -> list[str]:
    """The same as lines that any POSIX shell evaluates."""
    # A passphrase in the environment would win over the file.
    return ["unset PULUMI_CONFIG_PASSPHRASE"] + [
        f"export {name}={shlex.quote(value)}" for name, value in environment(cloud).items()
    ]
