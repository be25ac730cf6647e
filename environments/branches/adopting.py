"""How the program knows that `python -m adoption` asks what it would create: what is there already is then no error."""

from __future__ import annotations

import os

ADOPTING = "ENVIRONMENTS_ADOPTING"


def adopting() -> bool:
    """Tell whether this preview is the one of `python -m adoption`, of which nothing is carried out."""
    return bool(os.environ.get(ADOPTING))
