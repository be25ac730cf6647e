"""The version of this library: the one place that says it."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.2.0"
