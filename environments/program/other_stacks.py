"""What environments told of themselves at their last update, read once and without leaning on them.

A StackReference would make a missing or broken dev stop a rollback of production. This asks the engine the same
question and takes "there is no such stack" for an answer; `environments.plan.plan` refuses where the answer was needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pulumi

from environments.plan.topology import StackExports

_READ = "pulumi:pulumi:readStackOutputs"


def read_exports(stacks: Iterable[str]) -> dict[str, StackExports]:
    """Return what each of this project's `stacks` exports; one that doesn't exist exports nothing."""
    return {stack: _exports(_outputs(stack)) for stack in stacks}


def _outputs(stack: str) -> dict[str, Any]:
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    try:
        answer = pulumi.runtime.invoke(_READ, {"name": name}).value
    except Exception as error:  # the SDK raises a bare Exception for every failed invoke
        if "unknown stack" in str(error) or "not found" in str(error):
            return {}
        raise
    outputs: dict[str, Any] = (answer or {}).get("outputs") or {}
    return outputs


def _exports(outputs: dict[str, Any]) -> StackExports:
    projects = outputs.get("projects") or {}
    return StackExports(projects.get("neon"), projects.get("vercel"), outputs.get("branches") or {})
