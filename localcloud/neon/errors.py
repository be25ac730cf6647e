"""The refusals of the Neon API: one exception that becomes a status and Neon's error body.

ApiError
├── NotFoundError            404
├── ConflictError            409
├── PreconditionFailedError  412
├── UnprocessableError       422
├── LockedError              423
└── NotModelledError         501
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """A request that is refused with an HTTP status and a text for the caller."""

    status: ClassVar[int] = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(ApiError):
    """The thing named in the path or in the body isn't there."""

    status = 404


class ConflictError(ApiError):
    """Something of that name exists."""

    status = 409


class PreconditionFailedError(ApiError):
    """Something else has to exist or to be enabled first."""

    status = 412


class UnprocessableError(ApiError):
    """The request is well formed and its rules forbid it."""

    status = 422


class LockedError(ApiError):
    """Another operation runs on the project: safe to retry."""

    status = 423

    def __init__(self) -> None:
        super().__init__("project already has running conflicting operations, scheduling of new ones is prohibited")


class NotModelledError(ApiError):
    """The real service can do this, the local one can't yet."""

    status = 501
