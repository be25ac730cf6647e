"""Standard Migration: databases are never swapped; schema changes come to the branch that serves, by migrations.

The edits, each followed by `pulumi preview` and `pulumi up`:

1. Add a migration with `drizzle-kit generate` and commit its files: the preview shows its SQL, `pulumi up` runs it.
2. The way back: serve a branch made from the one that serves as of before the migration,
   `prod-v3: {from: {branch: prod-v2}, at: "<the moment in the outputs>"}`.

The pointer stays where it is when a stack changes to this strategy. It moves only to a copy of the branch that serves,
or back to one that served before.
"""

from __future__ import annotations

from typing import Final

from environments.plan.topology import Moves

MOVES: Final[Moves] = "back"
