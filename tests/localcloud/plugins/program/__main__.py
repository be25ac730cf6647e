"""Declares what resources.json says: a program whose every line a test may change."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_neon
import pulumiverse_vercel

PACKAGES = {"neon": pulumi_neon, "vercel": pulumiverse_vercel}
DECLARED = json.loads(Path(__file__).with_name("resources.json").read_text())
made: dict[str, Any] = {}


def resolved(value: Any) -> Any:
    """`$name.property` stands for an output, `$secret:text` for a secret."""
    match value:
        case str() if value.startswith("$secret:"):
            return pulumi.Output.secret(value.removeprefix("$secret:"))
        case str() if value.startswith("$"):
            name, _, attribute = value[1:].partition(".")
            return getattr(made[name], attribute)
        case dict():
            return {key: resolved(each) for key, each in value.items()}
        case list():
            return [resolved(each) for each in value]
    return value


for name, (kind, properties, options) in DECLARED.items():
    package, _, type_name = kind.partition(".")
    if type_name[0].islower():
        made[name] = getattr(PACKAGES[package], type_name + "_output")(**resolved(properties))
        pulumi.export(name, made[name].apply(lambda found: {key: getattr(found, key) for key in found.__dict__}))
        continue
    made[name] = getattr(PACKAGES[package], type_name)(
        name, **resolved(properties), opts=pulumi.ResourceOptions(**options)
    )
