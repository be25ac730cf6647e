"""The stack file of a pull request's environment, which `environments pull-request` prints.

The name of a git branch is whatever somebody pushed: it is checked as any setting, and quoted, before it gets there.
"""

from __future__ import annotations

import json
from typing import Final

from environments.settings.read import read_settings

EXPIRES: Final = "7d"


def stack_file(number: int, git_branch: str, *, expires: str = EXPIRES, schema_only: bool = False) -> str:
    """Return the text of `Pulumi.pr-<number>.yaml`: a copy of dev's branch, for the deployments of `git_branch`.

    `expires` is a duration such as 7d. Raises SettingsError if `git_branch` or `expires` can't be what it is.
    """
    name = f"pr-{number}"
    branch = {"from": {"stack": "dev", "branch": "dev"}, "expires": expires}
    settings = {
        "target": "preview",
        "git_branch": git_branch,
        "branches": {name: branch | ({"schema_only": True} if schema_only else {})},
        "serve": name,
    }
    read_settings({key: each if isinstance(each, str) else json.dumps(each) for key, each in settings.items()}, name)
    # JSON is YAML, and what is quoted stays a string, whatever it looks like.
    lines = [f"  environments:{key}: {json.dumps(each, ensure_ascii=False)}" for key, each in settings.items()]
    head = [
        f"# {name}: the environment of a pull request. See docs/environments.md.",
        "# yaml-language-server: $schema=stack.schema.json",
    ]
    return "\n".join([*head, "config:", *lines, ""])
