"""Writes the small executables that start this environment's Python where the engine looks for hosts and plugins."""

import os
import shlex
import sys
from pathlib import Path

LANGUAGE_HOST = ("pulumi-language-python", "pulumi-resource-pulumi-python")
PLUGINS = {"terraform-provider": "3.136.0", "vercel": "5.21.1"}
ROOT = Path(__file__).parents[2]
# A handler in Python can miss a signal that arrives just before the main thread waits; the engine then waits 5 s.
_DYNAMIC = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "runpy.run_module('pulumi.dynamic', run_name='__main__')"
)
_MARK = "# A stand-in, written by localcloud.engine."


def install_hosts(directory: Path) -> None:
    """The language host and the host of dynamic providers, for an engine that stands in `directory`."""
    script = ("-P", "-u", str(Path(__file__).with_name("language_host.py")))
    _write(directory / LANGUAGE_HOST[0], _python(*script), *_in_virtual_environment(*script))
    # -c puts the current directory on the path, which is the program's.
    _write(directory / LANGUAGE_HOST[1], _python("-u", "-c", _DYNAMIC))


def remove_hosts(directory: Path) -> None:
    """Takes ours away where the official ones are used."""
    for name in LANGUAGE_HOST:
        if is_stand_in(directory / name):
            (directory / name).unlink()


def install_plugins(pulumi_home: Path) -> None:
    """The stand-in plugins, in the plugin cache: the one place where the engine takes them without a warning."""
    for name, version in PLUGINS.items():
        directory = pulumi_home / "plugins" / f"resource-{name}-v{version}"
        directory.mkdir(parents=True, exist_ok=True)
        command = _python("-P", "-u", "-m", "localcloud.plugins.serve", name)
        _write(directory / f"pulumi-resource-{name}", command, f"export PYTHONPATH={shlex.quote(str(ROOT))}")


def is_stand_in(file: Path) -> bool:
    """Whether this module wrote it."""
    try:
        with file.open("rb") as handle:
            return _MARK.encode() in handle.read(200)
    except OSError:
        return False


def _in_virtual_environment(*arguments: str) -> tuple[str, ...]:
    """The lines that go on in the program's own virtual environment, where Pulumi.yaml names one that is there."""
    return (
        "venv=$(sed -n 's/^ *virtualenv: *//p' Pulumi.yaml 2>/dev/null)",
        f'[ -n "$venv" ] && [ -x "$venv/bin/python" ] && exec "$venv/bin/python" {shlex.join(arguments)} "$@"',
    )


def _python(*arguments: str) -> str:
    return f'exec {shlex.join([sys.executable, *arguments])} "$@"'


def _write(file: Path, command: str, *before: str) -> None:
    content = "\n".join(["#!/bin/sh", _MARK, *before, command, ""])
    if file.exists() and file.read_text(errors="replace") == content and os.access(file, os.X_OK):
        return
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text(content)
    new.chmod(0o755)
    new.replace(file)
