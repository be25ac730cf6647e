"""Clone & Promote (blue/green): production moves to a new branch that is a copy of dev.

The edits, each followed by `pulumi preview` and `pulumi up`:

1. Promote: add `prod-v2: {from: {stack: dev, branch: dev}}` under `branches` and set `serve: prod-v2`.
2. Roll back: set `serve: prod-v1`. The deployment that served prod-v1 gets the domain again; nothing is built.

The branch that served before is neither renamed nor touched: it stays as the way back. A pointer that leads to another
stack's branch, from a time under Pointer Swap, may stay there; it moves to branches of this environment alone.
"""

from __future__ import annotations

from typing import Final

from environments.plan.topology import Moves

MOVES: Final[Moves] = "own"
