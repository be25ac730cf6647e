"""From the strings that Pulumi hands over to Settings; every problem of the file is found at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from environments.settings.errors import Problem, SettingsError, split
from environments.settings.model import Settings
from environments.settings.strategy import KINDS
from environments.settings.strategy import left_over as strategy_left_over

NAMESPACE = "environments"
_LONGEST_VALUE = 60


def read_settings(config: Mapping[str, str], stack: str) -> Settings:
    """Return the settings of `stack` from its config, given without the namespace.

    Raises SettingsError with every wrong value, its path in the stack file, the rule and the remedy.
    """
    try:
        return Settings.model_validate({key: _value(text) for key, text in config.items()})
    except ValidationError as error:
        raise SettingsError(_problems(error), stack) from None


def left_over(config: Mapping[str, str]) -> list[str]:
    """Return the keys of the strategy that belong to another one: they have no effect."""
    return strategy_left_over(_value(config.get("strategy", "")))


def _value(text: str) -> Any:
    """Objects arrive as JSON; everything else stays the string that it is, for the models to understand."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _problems(error: ValidationError) -> list[Problem]:
    seen: dict[tuple[str, str], Problem] = {}
    for details in error.errors(include_url=False):
        problem = _problem(details)
        seen.setdefault((problem.path, problem.rule), problem)
    return list(seen.values())


def _problem(details: ErrorDetails) -> Problem:
    location = [str(part) for part in details["loc"] if part != "[key]"]
    if location[:1] == ["strategy"]:  # pydantic names the kind as well
        location = [part for part in location if part not in KINDS]
    path = f"{NAMESPACE}:{'.'.join(location)}"
    context = details.get("ctx", {})
    match details["type"]:
        case "rule":
            rule, remedy = split(details["msg"])
        case "extra_forbidden":
            rule, remedy = "there is no such setting", f"Remove it, or use one of: {_known(details, location)}"
            return Problem(path, "", rule, remedy)
        case "missing":
            return Problem(path, "", "it is needed and missing", f"Add {path} to the stack file")
        case "literal_error" | "enum":
            rule, remedy = f"it must be {context.get('expected')}", "Choose that"
        case "union_tag_invalid":
            rule = f"it must be one of {context['expected_tags']}"
            return Problem(f"{path}.kind", _shown(context["tag"]), rule, "Choose that")
        case "union_tag_not_found":
            return Problem(f"{path}.kind", "", "it is needed and missing", f"Write one of: {', '.join(KINDS)}")
        case "model_type" | "dict_type" | "model_attributes_type":
            rule, remedy = "it must be an object with keys", "Write its keys below it, indented"
        case _:
            rule, remedy = details["msg"][0].lower() + details["msg"][1:], "Correct it"
    return Problem(path, _shown(details["input"]), rule, remedy)


def _known(details: ErrorDetails, location: list[str]) -> str:
    """List the keys that stand beside the one at `location`, by walking the models' annotations."""
    annotation: Any = Settings
    if location[:1] == ["strategy"]:
        annotation = KINDS[str(details["loc"][1])]
    else:
        for part in location[:-1]:
            annotation = _inner(annotation, part)
    fields = annotation.model_fields
    return ", ".join(field.alias or name for name, field in fields.items())


def _inner(annotation: Any, part: str) -> Any:
    if get_origin(annotation) is dict:
        return _model(get_args(annotation)[1])
    fields = annotation.model_fields
    field = next(field for name, field in fields.items() if part in (name, field.alias))
    return field.annotation if get_origin(field.annotation) is dict else _model(field.annotation)


def _model(annotation: Any) -> Any:
    """Return the one model inside an Annotated or Optional."""
    if hasattr(annotation, "model_fields"):
        return annotation
    return next((found for found in map(_model, get_args(annotation)) if found is not None), None)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…")
