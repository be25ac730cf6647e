"""The JSON Schema of a stack file, for editors: `environments schema --write` puts it beside Pulumi.yaml."""

from __future__ import annotations

import json
from typing import Any, Final

from environments.settings.model import Settings
from environments.settings.read import NAMESPACE

FILE_NAME: Final = "stack.schema.json"
"""What the first lines of the stack files name."""


def stack_schema() -> dict[str, Any]:
    """Return the schema of a Pulumi.<stack>.yaml of this project."""
    settings = Settings.model_json_schema(by_alias=True)
    definitions = settings.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of this project",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"{NAMESPACE}:{key}": value for key, value in settings["properties"].items()},
                "required": [f"{NAMESPACE}:{key}" for key in settings["required"]],
                "description": settings["description"],
            },
            "encryptionsalt": {"type": "string", "description": "Written by Pulumi."},
            "secretsprovider": {"type": "string", "description": "Written by Pulumi."},
        },
        "required": ["config"],
        "$defs": definitions,
    }


def rendered() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(stack_schema(), indent=2) + "\n"
