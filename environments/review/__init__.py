"""What a reviewer reads of an edit, as data: text for the terminal, JSON lines for programs."""

from environments.review.telling import tell

__all__ = ["tell"]
