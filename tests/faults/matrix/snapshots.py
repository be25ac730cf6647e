"""A world that is up, kept as a copy: each point begins from the same one, put back in its own place and on its ports.

A world is the local cloud with its databases, the stacks' backend and the program. A stopped one is a folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from localcloud import engine, lifecycle
from localcloud.cloud import Cloud
from tests.e2e.conftest import World, make_world
from tests.warm.starts import warm_starts

NAME = "matrix"


@dataclass(frozen=True)
class Site:
    """The projects of a world and the domain where visitors come in; empty where there are none yet."""

    neon: str = ""
    vercel: str = ""
    domain: str = ""


@dataclass
class Snapshots:
    """Copies of one world, by name, below `root`."""

    root: Path
    warm: bool = False
    """Whether the engine's hosts start from what is loaded, where nothing of them is killed."""
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def live(self) -> Path:
        """Where the world runs."""
        return self.root / "live"

    @property
    def state(self) -> Path:
        """The folder of its cloud."""
        return self.live / "cloud"

    def create(self) -> World:
        """Make a world with nothing in it."""
        shutil.rmtree(self.root, ignore_errors=True)
        (self.live / "world").mkdir(parents=True)
        os.environ["LOCALCLOUD_PORTS"] = "any"
        cloud = lifecycle.start(self.state).cloud
        engine.install_plugins(cloud.pulumi_home)
        if self.warm:
            (programs := self.root / "programs").mkdir()
            self._open.enter_context(warm_starts(cloud.pulumi_home, programs))
        return make_world(cloud, self.live / "world", NAME)

    def keep(self, name: str, site: Site) -> None:
        """Stop the world and copy it as `name`."""
        lifecycle.stop(self.state)
        copy = self.root / name
        shutil.rmtree(copy, ignore_errors=True)
        _copy(self.live, copy)
        (copy / "site.json").write_text(json.dumps(asdict(site)))

    def has(self, name: str) -> bool:
        """Whether there is such a copy."""
        return (self.root / name / "site.json").exists()

    def restore(self, name: str) -> tuple[World, Site]:
        """Put a copy in the place of the world that is there, and start it."""
        if self.live.exists():
            lifecycle.stop(self.state)
            shutil.rmtree(self.live)
        _copy(self.root / name, self.live)
        site = Site(**json.loads((self.live / "site.json").read_text()))
        cloud: Cloud = lifecycle.start(self.state).cloud
        return World(self.live / "world" / "program", cloud, self.live / "world" / "backend"), site

    def remove(self) -> None:
        """End the world and remove it with its copies."""
        self._open.close()
        lifecycle.stop(self.state)
        shutil.rmtree(self.root, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners and links, sharing blocks where the file system can."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
