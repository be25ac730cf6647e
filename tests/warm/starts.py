"""The engine's hosts and plugins, started without loading Python and its packages each time.

Of the two seconds of processor time that a `pulumi` command takes, more than one goes into imports: the engine starts
the language host twice and three plugins, each a Python of its own. Here each is forked from a process that has
imported everything already, with the folder, environment, arguments and streams that the engine gives it; a small
client stands for it, so that the engine ends it as it ends any other. What they do is the same code.

Two of each kind are kept, and chance decides between them: their sets have different orders, as those of processes
that start afresh have, so that what depends on the order is still seen. Only `World.run` starts so. A command that a
test starts itself, perhaps to kill it, has processes of its own, as a user's has.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from localcloud.cloud import ROOT, TOOLS
from localcloud.engine.scripts import LANGUAGE_HOST, PLUGINS, is_stand_in

FOLDER = "TESTS_WARM_STARTS"
"""The variable that says where the sockets are; without it everything starts as it does for users."""

_ready: list[tuple[Path, Path]] = []
_CLIENT = Path(__file__).with_name("client.py")
_SEEDS = (1, 2)


@contextmanager
def warm_starts(pulumi_home: Path, programs: Path) -> Iterator[None]:
    """Let commands with the variables that `warm` returns start from what is loaded; the engine lies in `programs`."""
    _write_programs(programs, pulumi_home)
    # A socket's path may have 107 bytes at most: the folder lies near the root.
    with tempfile.TemporaryDirectory(prefix="warm-") as made, ExitStack() as started:
        folder = Path(made)
        servers = [
            started.enter_context(_server(kind, folder / f"{kind}-{number}", seed))
            for kind in ("language", "plugins")
            for number, seed in enumerate(_SEEDS)
        ]
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n", "it says why above"
        _ready.append((folder, programs))
        yield
        _ready.pop()


def warm(environment: dict[str, str]) -> dict[str, str]:
    """The variables with which a command of this environment starts so, if that was made ready."""
    if not _ready:
        return {}
    folder, programs = _ready[-1]
    return {FOLDER: str(folder), "PATH": f"{programs}{os.pathsep}{environment['PATH']}"}


def warm_plugin(program: Path) -> None:
    """Let a copy of the program start our own plugin so, too."""
    script = program / "plugin" / "pulumi-resource-environments"
    lines = script.read_text().splitlines()
    script.write_text("\n".join([lines[0], _warm("plugins", "environments.plugin.__main__"), *lines[1:], ""]))


@contextmanager
def _server(kind: str, path: Path, seed: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-u", str(Path(__file__).with_name("server.py")), kind, str(path)]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process


def _write_programs(programs: Path, pulumi_home: Path) -> None:
    host = TOOLS / "bin" / LANGUAGE_HOST[0]
    if is_stand_in(host):  # the official one starts Python itself
        # The engine looks for the language host beside its own file.
        shutil.copy2(TOOLS / "bin" / "pulumi", programs / "pulumi")
        lines = host.read_text().splitlines()
        _write(programs / LANGUAGE_HOST[0], [lines[0], _in_our_environment(_warm("language")), *lines[1:]])
    for name, version in PLUGINS.items():
        script = pulumi_home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"
        lines = script.read_text().splitlines()
        _write(script, [lines[0], _warm("plugins", "localcloud.plugins.serve", name), *lines[1:]])


def _warm(kind: str, *arguments: str) -> str:
    client = shlex.join([sys.executable, "-I", "-S", str(_CLIENT)])
    return f'[ -n "${FOLDER}" ] && exec {client} "${FOLDER}" {shlex.join([kind, *arguments])} "$@"'


def _in_our_environment(line: str) -> str:
    """The line for a program that runs in the virtual environment of the tests: another one holds other packages."""
    return f"[ .venv/bin -ef {shlex.quote(str(Path(sys.executable).parent))} ] && {line}"


def _write(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join([*lines, ""]))
    file.chmod(0o755)
