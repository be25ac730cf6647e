"""The stack's config as a whole: pulumi.Config answers for keys that one knows, and the point is to find the others."""

from __future__ import annotations

import pulumi


def stack_config() -> dict[str, str]:
    """Return every setting of this project's namespace by its bare key; secret ones are left to require_secret."""
    namespace = f"{pulumi.get_project()}:"
    known = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    return {
        key.removeprefix(namespace): value
        for key, value in known.items()
        if key.startswith(namespace) and not pulumi.runtime.is_config_secret(key)
    }
