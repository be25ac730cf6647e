"""The stack's config as a whole: pulumi.Config answers for keys that one knows, and the point is to find the others."""

from __future__ import annotations

import pulumi

from environments.program import review
from environments.settings import Settings, left_over, read_settings


def read_stack(stack: str) -> Settings:
    """Return what the stack file says, and warn of what it says in vain. Raises SettingsError for what is wrong."""
    config = stack_config()
    settings = read_settings(config, stack)
    if left := left_over(config):
        of = f"environments:strategy.{', strategy.'.join(left)}"
        review.warn(f"{of}: means nothing under {settings.strategy.kind}, left over from another strategy")
    return settings


def stack_config() -> dict[str, str]:
    """Return every setting of this project's namespace by its bare key; secret ones are left to require_secret."""
    namespace = f"{pulumi.get_project()}:"
    known = {**pulumi.runtime.config.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    return {
        key.removeprefix(namespace): value
        for key, value in known.items()
        if key.startswith(namespace) and not pulumi.runtime.is_config_secret(key)
    }
