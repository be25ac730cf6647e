"""`python -m environments.commands.check`: are the stack files right, as far as that can be told without any credential?

For pull requests from forks, which get no secret. The same settings and plan as in `pulumi preview`; of the other
stacks it believes what their own files say that they will export.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from environments.clients.app_files import app_digest
from environments.plan.plan import Digests, folders, plan
from environments.plan.topology import StackExports
from environments.settings import SettingsError, read_settings
from environments.settings.read import NAMESPACE


class StackFileError(Exception):
    """A stack file can't be read at all."""


def check(folder: Path) -> dict[str, str]:
    """Return what is wrong with each stack of `folder`: its name and the text, which is empty where nothing is.

    Raises StackFileError if there is no stack file, or one is no YAML with a config.
    """
    configs = {path.name.split(".")[1]: _config(path) for path in sorted(folder.glob("Pulumi.?*.yaml"))}
    if not configs:
        raise StackFileError(f"{folder.resolve()} holds no Pulumi.<stack>.yaml: run this beside Pulumi.yaml")
    exports = {stack: _exports(config) for stack, config in configs.items()}
    return {stack: _problem(folder, stack, config, exports) for stack, config in configs.items()}


def main(arguments: Sequence[str] = ()) -> int:
    """Check the stack files of a folder, by default this one; return the exit code."""
    try:
        found = check(Path(arguments[0] if arguments else "."))
    except StackFileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for stack, problem in found.items():
        print(f"{stack}: {problem or 'settings and plan are right'}")
    return 1 if any(found.values()) else 0


def _problem(folder: Path, stack: str, config: Mapping[str, str], exports: Mapping[str, StackExports]) -> str:
    try:
        settings = read_settings(config, stack)
        digests = Digests(**{name: app_digest(folder / path) for name, path in folders(settings).items()})
        plan(settings, stack, exports, digests)
    except SettingsError as error:
        return str(error)
    missing = [
        f"{name} is to be a copy of {source.branch} in stack {source.stack}, whose file names no such branch"
        for name, branch in settings.branches.items()
        if (source := branch.source) and source.stack not in (None, stack) and not _named(source, exports)
    ]
    return "; ".join(missing)


def _named(source: Any, exports: Mapping[str, StackExports]) -> bool:
    return source.stack not in exports or source.branch in exports[source.stack].branches


def _config(path: Path) -> dict[str, str]:
    """Return a stack's settings as the engine hands them over; secret ones it keeps to itself."""
    try:
        config = (yaml.safe_load(path.read_text()) or {})["config"]
        return {
            key.removeprefix(f"{NAMESPACE}:"): value if isinstance(value, str) else json.dumps(value, default=str)
            for key, value in config.items()
            if key.startswith(f"{NAMESPACE}:") and not (isinstance(value, dict) and "secure" in value)
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise StackFileError(f"{path.name} is no stack file with a config: {' '.join(str(error).split())}") from None


def _exports(config: Mapping[str, str]) -> StackExports:
    try:
        branches = json.loads(config.get("branches", "{}"))
    except json.JSONDecodeError:
        branches = {}
    return StackExports("some-project", "prj_some", dict.fromkeys(branches, "br-some"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
