"""What a route is, free of the web server: a request comes in, an answer or an ApiError goes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from localcloud.neon.control import ControlPlane
from localcloud.neon.errors import ApiError

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class Request:
    """The parts of a request that routes read."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    json: object

    def body(self, model: type[Body]) -> Body:
        """The body as this model; 400 that names the field and the rule, never the value."""
        try:
            return model.model_validate({} if self.json is None else self.json)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"]) or "body"
            raise ApiError(f"{place}: {first['msg']}") from None

    def limit(self, default: int, largest: int) -> int:
        """The page size."""
        text = self.query.get("limit", str(default))
        if not text.isdecimal() or not 1 <= int(text) <= largest:
            raise ApiError(f"limit is {text!r}: use 1 to {largest}")
        return int(text)


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body; no body with 204."""

    status: int
    body: dict[str, Any] | None = None


NOTHING = Answer(204)

Route = Callable[[ControlPlane, Request], Awaitable[Answer]]
Routes = tuple[tuple[str, str, Route], ...]


def ok(**body: Any) -> Answer:
    """200."""
    return Answer(200, body)


def created(**body: Any) -> Answer:
    """201."""
    return Answer(201, body)
