"""How the program knows that `environments adopt` asks what it would create: what exists already is then no error."""

from __future__ import annotations

import os

ADOPTING = "ENVIRONMENTS_ADOPTING"


def adopting() -> bool:
    """Tell whether this preview is the one of `environments adopt`, which carries out nothing."""
    return bool(os.environ.get(ADOPTING))
