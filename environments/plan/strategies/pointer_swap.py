"""Pointer Swap: production points to dev's own branch. Nothing is copied, so what was tested is what serves.

The edits, each followed by `pulumi preview` and `pulumi up`:

1. Size dev's branch for production, in Pulumi.dev.yaml: `dev: {compute: {min_cu: 1, max_cu: 4, suspend: never}}`.
2. Swap: `serve: {stack: dev, branch: dev}`. Production gets roles of its own on that branch.
3. Roll back: set `serve: prod-v1`. The deployment that served prod-v1 gets the domain again; nothing is built.
4. Tell the two apart again: dev takes a branch of its own, cloned from the one that production points to
   (`dev-2: {from: {branch: dev}}`, `serve: dev-2`), which gets its production name in place (`name: prod-v2`), is
   released by dev and adopted by prod. See docs/strategies.md.
"""

from __future__ import annotations

from typing import Final

from environments.plan.topology import Moves

MOVES: Final[Moves] = "any"
