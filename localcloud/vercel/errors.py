"""What the API refuses, in Vercel's error shape.

ApiError
├── BadRequestError   400
├── ForbiddenError    403
├── NotFoundError     404
├── ConflictError     409
└── UnsupportedError  501
"""

from typing import Any


class ApiError(Exception):
    """An answer that is no success: status, code, message and Vercel's extra fields."""

    status = 500
    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The JSON that clients read."""
        return {"error": {"code": self.code, "message": self.message, **self.extra}}


class BadRequestError(ApiError):
    """The request breaks a rule."""

    status = 400
    code = "bad_request"


class ForbiddenError(ApiError):
    """No token or a wrong one."""

    status = 403
    code = "forbidden"


class NotFoundError(ApiError):
    """Nothing there under this id or name."""

    status = 404
    code = "not_found"


class ConflictError(ApiError):
    """What is there stands against it."""

    status = 409
    code = "conflict"


class UnsupportedError(ApiError):
    """Vercel may know this, the local cloud does not."""

    status = 501
    code = "not_implemented"
