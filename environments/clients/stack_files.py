"""What the stack files beside a program call their environments, where that isn't the name of the stack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from environments.errors import RefusedError
from environments.ids import StackName

_BEGINNING, _END = "Pulumi.", ".yaml"


class SameNameError(RefusedError):
    """Two stacks are the same environment."""


def renamed_stacks(folder: Path, namespace: str) -> dict[str, StackName]:
    """Return the stacks whose file in `folder` gives their environment another name, by that name.

    `namespace` is that of the program's settings. A file that can't be read names nothing: its own stack refuses it.
    Raises SameNameError where a name is that of two stacks.
    """
    names: dict[StackName, str] = {}
    for path in sorted(folder.glob(f"{_BEGINNING}?*{_END}")):
        stack = StackName(path.name.removeprefix(_BEGINNING).removesuffix(_END))
        names[stack] = str(_config(path).get(f"{namespace}:environment") or stack)
    found: dict[str, StackName] = {}
    for stack, name in names.items():
        if name in found:
            raise SameNameError(
                f"the stacks {found[name]} and {stack} are both called {name}: an environment has one stack. Correct "
                f"{namespace}:environment in {_BEGINNING}{found[name]}{_END} or in {_BEGINNING}{stack}{_END}"
            )
        found[name] = stack
    return {name: stack for name, stack in found.items() if name != stack}


def _config(path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.safe_load(path.read_text())["config"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return {}
    return config if isinstance(config, dict) else {}
