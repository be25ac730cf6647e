"""What a local cloud is to everybody else: where it answers, with which tokens, and where it keeps its state.

Ports and tokens are chosen once and kept for ever: the connection strings in databases and in deployments carry them.
"""

import json
import os
import secrets
import string
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from localcloud.ports import LOOPBACK, Ports, free_ports, wanted_ports
from localcloud.private_files import private_folder, write_private

ROOT = Path(__file__).resolve().parent.parent
"""Where this package lies: the checkout, or an environment's site-packages."""


def home() -> Path:
    """Where tools and state lie by default: in the checkout, or in the user's data folder where this is installed."""
    if (ROOT / "localcloud" / "pyproject.toml").exists():
        return ROOT
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "localcloud"


TOOLS = home() / ".tools"
FORMAT = 1

# Vercel's provider accepts exactly 24 letters and digits as a token.
VERCEL_TOKEN_LENGTH = 24


def state_folder() -> Path:
    """Where the state lies: LOCALCLOUD_STATE, or `.local/` at `home()`."""
    chosen = os.environ.get("LOCALCLOUD_STATE")
    return Path(chosen).expanduser().absolute() if chosen else home() / ".local"


class CloudFileError(Exception):
    """cloud.json is missing or is not what this version wrote."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One local cloud: its state folder, ports and tokens."""

    state: Path
    ports: Ports
    neon_api_key: str = field(repr=False)
    vercel_api_token: str = field(repr=False)

    @property
    def neon_api_host(self) -> str:
        """Neon's API as its clients name it, with the version in the path."""
        return f"http://{LOOPBACK}:{self.ports.neon_api}/api/v2"

    @property
    def vercel_api_url(self) -> str:
        """Vercel's API, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.ports.vercel_api}"

    @property
    def vercel_edge_url(self) -> str:
        """The edge; the Host header says which deployment answers."""
        return f"http://{LOOPBACK}:{self.ports.edge}"

    @property
    def page_url(self) -> str:
        """The page that shows branches, computes and deployments."""
        return f"http://{LOOPBACK}:{self.ports.page}/"

    @property
    def neon_state(self) -> Path:
        """The folder of Neon's half."""
        return self.state / "neon"

    @property
    def vercel_state(self) -> Path:
        """The folder of Vercel's half."""
        return self.state / "vercel"

    @property
    def pulumi_backend(self) -> Path:
        """The file backend of the stacks."""
        return self.state / "pulumi" / "backend"

    @property
    def pulumi_home(self) -> Path:
        """The engine's home, with its plugin cache."""
        return self.state / "pulumi" / "home"

    @property
    def passphrase_file(self) -> Path:
        """What encrypts the secrets of the stacks in the file backend."""
        return self.state / "pulumi" / "passphrase"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.state / "daemon.log"

    @classmethod
    def load(cls, state: Path) -> Self:
        """Read the cloud of this state folder; CloudFileError if there is none."""
        path = cloud_file(state)
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            raise CloudFileError(
                f"{path} does not exist: no local cloud was started here yet, `localcloud start` makes one"
            ) from None
        except ValueError as error:
            raise CloudFileError(f"{path} is no JSON: move it away, then `localcloud reset`") from error
        if not isinstance(content, dict) or content.get("version") != FORMAT:
            raise CloudFileError(f"{path} was written by another version: `localcloud reset`, then start again")
        try:
            return cls(
                state=state,
                ports=Ports(**content["ports"]),
                neon_api_key=content["neon_api_key"],
                vercel_api_token=content["vercel_api_token"],
            )
        except (KeyError, TypeError) as error:
            raise CloudFileError(f"{path} lacks a port or a token: `localcloud reset`, then start again") from error

    @classmethod
    def load_or_create(cls, state: Path, preferred: Ports | None = None) -> Self:
        """Read the cloud, or choose its ports and tokens now. The caller holds the life cycle's lock."""
        if not cloud_file(state).exists():
            private_folder(state)
            content = {
                "version": FORMAT,
                "ports": asdict(free_ports(preferred or wanted_ports())),
                "neon_api_key": f"napi_{_token(64)}",
                "vercel_api_token": _token(VERCEL_TOKEN_LENGTH),
            }
            write_private(cloud_file(state), json.dumps(content, indent=2) + "\n")
        cloud = cls.load(state)
        for folder in (
            cloud.neon_state,
            cloud.vercel_state,
            cloud.pulumi_backend.parent,
            cloud.pulumi_backend,
            cloud.pulumi_home,
        ):
            private_folder(folder)
        if not cloud.passphrase_file.exists():
            write_private(cloud.passphrase_file, _token(40))
        return cloud


def cloud_file(state: Path) -> Path:
    """Where ports and tokens are written down."""
    return state / "cloud.json"


def _token(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
