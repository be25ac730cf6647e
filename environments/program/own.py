"""Our own resources as a Pulumi program makes them."""

from __future__ import annotations

from typing import Any

import pulumi


class LegacyResource(pulumi.CustomResource):
    """A resource over dicts. Goes when the last one is typed."""

    def __init__(self, _provider: Any, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None) -> None:
        """Register it under the type of its class."""
        super().__init__(f"environments:index:{type(self).__name__}", name, props, opts)
