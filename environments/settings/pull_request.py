"""The stack file of a pull request's environment, for .github/workflows/preview.yml and for hands.

    python -m environments.settings.pull_request 7 feature/basket > Pulumi.pr-7.yaml

The name of a git branch is whatever somebody pushed: it is checked as any setting, and quoted, before it gets there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from environments.settings.errors import SettingsError
from environments.settings.read import read_settings

_EXPIRES = "7d"


def stack_file(number: int, git_branch: str, *, expires: str = _EXPIRES, schema_only: bool = False) -> str:
    """Return the text of `Pulumi.pr-<number>.yaml`: a copy of dev's branch that serves `git_branch`'s deployments.

    Raises SettingsError if `git_branch` or `expires` can't be what it is.
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


def main(arguments: Sequence[str]) -> int:
    """Print the file; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m environments.settings.pull_request", description="print a stack file"
    )
    parser.add_argument("number", type=int, help="of the pull request")
    parser.add_argument("git_branch", help="whose preview deployments use the environment")
    parser.add_argument("--expires", default=_EXPIRES, help="after how long Neon deletes the branch (default: 7d)")
    parser.add_argument("--schema-only", action="store_true", help="the tables of dev without their rows")
    options = parser.parse_args(arguments)
    try:
        text = stack_file(options.number, options.git_branch, expires=options.expires, schema_only=options.schema_only)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
