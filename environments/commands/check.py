"""`environments check`: are the stack files right, as far as that can be known without any credential?

For pull requests from forks, which get no secret. The settings and the plan are those of `pulumi preview`; of the other
stacks it believes what their own files say that they will export.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from environments.clients.app_files import AppFilesError, app_digest
from environments.errors import RefusedError
from environments.plan.plan import Digests, folders, plan
from environments.plan.topology import StackExports
from environments.settings import SettingsError, Source, read_settings
from environments.settings.read import NAMESPACE


class StackFileError(RefusedError):
    """A stack file is wrong, or can't be read at all."""


def check(folder: Path) -> None:
    """Print for each stack of `folder` whether its file is right.

    Raises StackFileError if one isn't, if there is none, or if one is no YAML with a config.
    """
    found = problems(folder)
    for stack, problem in found.items():
        print(f"{stack}: {problem or 'settings and plan are right'}")
    if wrong := [f"Pulumi.{stack}.yaml" for stack, problem in found.items() if problem]:
        raise StackFileError(f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} wrong")


def problems(folder: Path) -> dict[str, str]:
    """Return what is wrong with each stack of `folder`: its name and the text, which is empty where nothing is.

    Raises StackFileError if there is no stack file, or one is no YAML with a config.
    """
    configs = {path.name.split(".")[1]: _config(path) for path in sorted(folder.glob("Pulumi.?*.yaml"))}
    if not configs:
        raise StackFileError(
            f"{folder} holds no Pulumi.<stack>.yaml. Make one for each stack, as docs/environments.md says"
        )
    exports = {config.get("environment", stack): _exports(config) for stack, config in configs.items()}
    return {stack: _problem(folder, stack, config, exports) for stack, config in configs.items()}


def _problem(folder: Path, stack: str, config: Mapping[str, str], exports: Mapping[str, StackExports]) -> str:
    try:
        settings = read_settings(config, stack)
        digests = Digests(**{name: app_digest(folder / path) for name, path in folders(settings).items()})
        environment = settings.environment or stack
        plan(settings, environment, exports, digests)
    except (SettingsError, AppFilesError) as error:
        return str(error)
    missing = [
        f"{name} is a copy of stack {source.stack}'s {source.branch}, but Pulumi.{source.stack}.yaml has no such branch"
        for name, branch in settings.branches.items()
        if (source := branch.source) and source.stack != environment and not _named(source, exports)
    ]
    return "; ".join(missing)


def _named(source: Source, exports: Mapping[str, StackExports]) -> bool:
    return source.stack is None or source.stack not in exports or source.branch in exports[source.stack].branches


def _config(path: Path) -> dict[str, str]:
    """Return a stack's settings as the engine hands them to the program, without the secret ones."""
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
