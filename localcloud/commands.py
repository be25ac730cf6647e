"""What each command does and says; the work itself is elsewhere, as functions."""

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

from localcloud import engine, lifecycle, shell
from localcloud.cloud import ROOT, TOOLS, Cloud, CloudFileError, state_folder
from localcloud.daemon import AlreadyServedError, Record, serve
from localcloud.engine import BuildError
from localcloud.lifecycle import LifecycleError
from localcloud.status import addresses, status
from localcloud.workspace import WorkspaceError, make_workspace


def run(options: argparse.Namespace) -> int:
    """Run the chosen command; an expected failure is one message on stderr and exit code 1."""
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "start": _start,
        "stop": _stop,
        "status": _status,
        "reset": _reset,
        "env": _env,
        "workspace": _workspace,
        "serve": _serve,
    }
    try:
        return commands[options.command](options)
    except (AlreadyServedError, BuildError, CloudFileError, LifecycleError, WorkspaceError) as error:
        print(error, file=sys.stderr)
        return 1


def _start(_: argparse.Namespace) -> int:
    engine.ensure(TOOLS)
    began = time.monotonic()
    started = lifecycle.start(state_folder())
    engine.install_plugins(started.cloud.pulumi_home)
    took = "already running" if started.already_running else f"running after {time.monotonic() - began:.1f} s"
    print(
        f"local cloud: {took}, state in {started.cloud.state}",
        *addresses(started.cloud),
        f"next: {shell.evaluate()}",
        sep="\n",
    )
    return 0


def _stop(_: argparse.Namespace) -> int:
    stopped = lifecycle.stop(state_folder())
    print("local cloud: stopped" if stopped.was_running else "local cloud: was not running")
    if stopped.left_over:
        print(f"  {stopped.left_over} left-over processes ended")
    if stopped.killed:
        print(f"  {stopped.killed} had to be killed")
    return 0


def _status(_: argparse.Namespace) -> int:
    found = status(state_folder())
    print(*found.lines, sep="\n")
    return 0 if found.running else 1


def _reset(_: argparse.Namespace) -> int:
    removed = lifecycle.reset(state_folder())
    print("local cloud: reset")
    print(*(f"  removed {path}" for path in removed) if removed else ["  there was nothing to remove"], sep="\n")
    return 0


def _env(options: argparse.Namespace) -> int:
    if sys.stdout.isatty() and not options.show:
        print(f"usage: {shell.evaluate()}   (the lines hold tokens; --show prints them)")
        return 0
    state = state_folder()
    cloud = Cloud.load(state)
    if Record.of_living(state) is None:
        print(f"The local cloud is not running: {shell.command('start')}", file=sys.stderr)
    print(*shell.export_lines(cloud), sep="\n")
    return 0


def _workspace(options: argparse.Namespace) -> int:
    copy = make_workspace(_program(), options.folder, replace=options.force)
    print(f"the program is in {copy}", f"next: {shell.evaluate()} && cd {shlex.quote(str(copy))}", sep="\n")
    return 0


def _program() -> Path:
    """Return the program to copy: the one of the current folder, or the one beside this package."""
    here = Path.cwd()
    return here if (here / "Pulumi.yaml").exists() else ROOT


def _serve(_: argparse.Namespace) -> int:
    serve(Cloud.load_or_create(state_folder()))
    return 0
