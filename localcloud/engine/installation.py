"""Decides which engine is used: the one on PATH if it is new enough, else one built here with its hosts beside it."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.engine.build import build
from localcloud.engine.scripts import LANGUAGE_HOST, install_hosts, is_stand_in, remove_hosts

VERSION = "3.259.0"


def ensure(tools: Path) -> Path:
    """Leaves a `pulumi` of at least VERSION in `tools`/bin, with a language host beside it; returns its path.

    Takes a few milliseconds when all is there. The first time it may build for minutes, and says so on standard error.
    Raises BuildError where it cannot.
    """
    bin_directory = tools / "bin"
    bin_directory.mkdir(parents=True, exist_ok=True)
    cli = bin_directory / "pulumi"
    with _locked(tools / "lock"):
        versions = _Versions(tools / "versions.json")
        installed = _on_path(excluding=bin_directory)
        if installed is None or not versions.new_enough(installed):
            if cli.is_symlink() or not cli.exists() or versions.of(cli) != VERSION:
                build(VERSION, cli)
        elif _complete(installed):
            _replace(cli, lambda place: place.symlink_to(installed))
            remove_hosts(bin_directory)
            return cli
        elif cli.is_symlink() or not cli.exists() or versions.of(cli) != versions.of(installed):
            # The engine looks for hosts beside its own file, links followed: a copy has ours beside it.
            _replace(cli, lambda place: shutil.copy2(installed, place))
        install_hosts(bin_directory)
        versions.of(cli)
    return cli


def _on_path(excluding: Path) -> Path | None:
    entries = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    others = os.pathsep.join(entry for entry in entries if Path(entry).resolve() != excluding.resolve())
    found = shutil.which("pulumi", path=others)
    return Path(found).resolve() if found else None


def _complete(cli: Path) -> bool:
    """Whether the official language host and the host of dynamic providers stand beside it."""
    return all((cli.parent / name).exists() and not is_stand_in(cli.parent / name) for name in LANGUAGE_HOST)


def _replace(cli: Path, place: Callable[[Path], object]) -> None:
    new = cli.with_name(f".pulumi.{os.getpid()}")
    new.unlink(missing_ok=True)
    place(new)
    new.replace(cli)


class _Versions:
    """The versions of executables, asked once for each file as it is."""

    def __init__(self, record: Path) -> None:
        self._record = record
        try:
            self._known: dict[str, str] = json.loads(record.read_text())
        except (OSError, ValueError):
            self._known = {}

    def of(self, cli: Path) -> str:
        """Its version without a `v`, "" if it has none to tell."""
        status = cli.stat()
        key = f"{cli} {status.st_size} {status.st_mtime_ns}"
        if key not in self._known:
            with tempfile.TemporaryDirectory() as home:  # it writes a log there
                quiet = {**os.environ, "PULUMI_HOME": home, "PULUMI_SKIP_UPDATE_CHECK": "1"}
                asked = subprocess.run([cli, "version"], capture_output=True, text=True, check=False, env=quiet)
            found = re.search(r"\d+\.\d+\.\d+\S*", asked.stdout)
            self._known[key] = found[0] if asked.returncode == 0 and found else ""
            self._record.write_text(json.dumps(self._known, indent=2) + "\n")
        return self._known[key]

    def new_enough(self, cli: Path) -> bool:
        return _ordered(self.of(cli)) >= _ordered(VERSION)


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
