"""Clone & Promote (blue/green): production moves to a new branch that is a copy of dev.

The edits, each followed by `pulumi preview` and `pulumi up`:

1. Promote: add `prod-v2: {from: {stack: dev, branch: dev}}` under `branches` and set `serve: prod-v2`.
2. Roll back: set `serve: prod-v1`. The deployment that served prod-v1 gets the domain again; nothing is built.

The branch that served before is neither renamed nor touched: it stays as the way back.
"""

from __future__ import annotations

from components.settings import Problem, Settings


def clone_and_promote(settings: Settings, stack: str) -> list[Problem]:
    """Let the pointer lead to any branch that this environment owns."""
    serve, known = settings.serve, ", ".join(settings.branches) or "none yet"
    if serve.stack not in (None, stack):
        return [
            Problem(
                "environments:serve",
                f"{serve.branch!r} of stack {serve.stack!r}",
                "clone-and-promote serves a branch of this stack's own",
                f"Clone it under branches first, then serve the clone; {stack} has: {known}",
            )
        ]
    if serve.branch not in settings.branches:
        return [
            Problem(
                "environments:serve",
                repr(serve.branch),
                f"{stack} has no such branch",
                f"Add it under branches, or serve one of: {known}",
            )
        ]
    return []
