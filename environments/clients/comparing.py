"""How the program and our resources know that this preview is for a comparison: of `environments adopt` or `recover`.

It asks what the stack would create: what exists already is then no error, and no move of the pointer is refused.
"""

from __future__ import annotations

import os

COMPARING = "ENVIRONMENTS_COMPARING"


def comparing() -> bool:
    """Tell whether this preview is one for a comparison, which is never carried out."""
    return bool(os.environ.get(COMPARING))
