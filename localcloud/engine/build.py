"""Builds the engine from its Go module, the one form of it that a package registry carries."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

MODULE = Path(__file__).parent
COMMAND = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_SWITCHES_TOOLCHAINS = (1, 21)  # the first Go that fetches the toolchain a module asks for
_REPORT_SECONDS = 3.0

Report = Callable[[int, str], None]


class BuildError(Exception):
    """The engine cannot be built here; the message says what to do."""


def build(version: str, cli: Path) -> None:
    """Compiles the engine to `cli` in one step: nobody sees half of it."""
    go = find_go()
    started = time.monotonic()
    _say(f"building pulumi {version} from its Go module: once, about 3 minutes on 2 cores")
    new = cli.with_name(f".pulumi.{os.getpid()}")
    flags = f"-s -w -X {VERSION_VARIABLE}=v{version}"
    try:
        listed = _run(
            [go, "list", "-deps", COMMAND], lambda count, last: _since(started, f"fetched {count} modules {last}")
        )
        _run(
            [go, "build", "-v", "-ldflags", flags, "-o", str(new), COMMAND],
            lambda count, last: _since(started, f"compiled {count} of {len(listed)} packages {last}"),
        )
        new.replace(cli)
    finally:
        new.unlink(missing_ok=True)
    _since(started, f"built {cli}")


def find_go() -> str:
    """A Go that can build the module, or a BuildError that tells which one is needed."""
    needed = required_go()
    wanted = f"Go {'.'.join(map(str, needed))} or newer builds the Pulumi engine"
    remedy = "install it from https://go.dev/dl, or install pulumi itself, and run this again"
    go = shutil.which("go")
    if go is None:
        raise BuildError(f"go is not on PATH: {wanted}; {remedy}")
    asked = subprocess.run(
        [go, "env", "GOVERSION", "GOTOOLCHAIN"], capture_output=True, text=True, check=False, cwd=MODULE.parent
    )
    found, _, toolchain = asked.stdout.strip().partition("\n")
    have = tuple(int(number) for number in re.findall(r"\d+", found)[:3])
    if have >= needed or (have >= _SWITCHES_TOOLCHAINS and toolchain != "local"):
        return go
    hint = " (GOTOOLCHAIN=auto lets this one fetch it)" if have >= _SWITCHES_TOOLCHAINS else ""
    raise BuildError(f"{go} is {found or 'of unknown version'}: {wanted}{hint}; {remedy}")


def required_go() -> tuple[int, ...]:
    """The version that the module's go directive asks for."""
    directive = re.search(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert directive
    return tuple(int(number) for number in directive[1].split("."))


def _run(command: list[str], report: Report) -> list[str]:
    """The lines of its output; every few seconds tells how many it said on standard error, and the last one."""
    said: list[str] = []
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(command, cwd=MODULE, stdout=output, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr
        listener = threading.Thread(target=_listen, args=(process.stderr, said), daemon=True)
        listener.start()
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_REPORT_SECONDS)
                break
            report(len(said), said[-1] if said else "")
        listener.join()
        if process.returncode:
            reasons = [line for line in said if not line.startswith("go: downloading")]
            raise BuildError("\n".join([f"`go {command[1]}` failed:", *reasons[-20:]]))
        output.seek(0)
        return output.read().splitlines()


def _listen(stream: IO[str], said: list[str]) -> None:
    said.extend(line.rstrip() for line in stream)


def _since(started: float, text: str) -> None:
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    _say(f"{minutes}:{seconds:02d} {text}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
