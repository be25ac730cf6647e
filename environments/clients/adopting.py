"""How the program and our resources know that `environments adopt` runs this preview.

It asks what the stack would create: what exists already is then no error.
"""

from __future__ import annotations

import os

ADOPTING = "ENVIRONMENTS_ADOPTING"


def adopting() -> bool:
    """Tell whether this preview is the one of `environments adopt`, which is never carried out."""
    return bool(os.environ.get(ADOPTING))
