"""The command `localcloud start|stop|status|reset|env|workspace|serve`; `python -m localcloud` is the same."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

COMMANDS = {
    "start": "start the daemon and return when everything answers",
    "stop": "end the daemon and whatever it started; all state stays",
    "status": "show what runs: ports, branches, computes, deployments (exit code 1 if it doesn't run)",
    "reset": "stop, and remove all databases, deployments and stacks",
    "env": 'print the variables that a shell needs: eval "$(localcloud env)"',
    "workspace": "make a copy of the program that `pulumi` may write into",
    "serve": "be the daemon, in the foreground",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    _enter_virtual_environment()
    from localcloud import commands  # noqa: PLC0415 (needs what the virtual environment holds)

    return commands.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localcloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {name: commands.add_parser(name, help=text, description=text) for name, text in COMMANDS.items()}
    parsers["env"].add_argument("--show", action="store_true", help="print even to a terminal: the lines hold tokens")
    parsers["workspace"].add_argument("folder", type=Path, metavar="DIR")
    parsers["workspace"].add_argument("--force", action="store_true", help="renew an earlier copy")
    return parser


def _enter_virtual_environment() -> None:
    """Any Python of the machine may run the command: it goes on in the one that has the packages."""
    if importlib.util.find_spec("aiohttp") and importlib.util.find_spec("httpx"):
        return
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists() or Path(sys.prefix) == python.parent.parent:
        sys.exit("The packages of the local cloud are not installed: run `make setup` first.")
    os.execv(python, [str(python), "-m", "localcloud", *sys.argv[1:]])  # noqa: S606 (no shell is meant)


if __name__ == "__main__":
    sys.exit(main())
