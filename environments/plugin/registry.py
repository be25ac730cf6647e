"""Which resource answers for which type of the engine's; each is loaded when it is first asked for."""

from __future__ import annotations

import functools
import importlib
from typing import Any, Final

from environments.errors import EnvironmentsError
from environments.resources.typed import Typed

MODULES: Final = {
    "environments:index:AppLogin": "app_login:AppLogin",
    "environments:index:BranchSource": "branch_source:BranchSource",
    "environments:index:Cutover": "cutover:Cutover",
    "environments:index:Deployment": "deployment:Deployment",
    "environments:index:ExternalLogin": "external_login:ExternalLogin",
    "environments:index:Inventory": "inventory:Inventory",
    "environments:index:Migration": "migration:Migration",
    "environments:index:Ready": "ready:Ready",
    "environments:index:TemporaryBranch": "temporary_branch:TemporaryBranch",
    "environments:index:Transfer": "transfer:Transfer",
    "environments:index:VariableDrift": "variable_drift:VariableDrift",
}


@functools.cache
def resource_of(token: str) -> Typed[Any, Any]:
    """Return the resource of the type `token`."""
    if token not in MODULES:
        raise EnvironmentsError(f"environments has no resource of the type {token}")
    module, _, name = MODULES[token].partition(":")
    kind = getattr(importlib.import_module(f"environments.resources.{module}"), name)
    made: Typed[Any, Any] = kind()
    return made
