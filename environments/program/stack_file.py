"""The stack's whole config, with keys that nobody knows: pulumi.Config answers for known keys only."""

from __future__ import annotations

import pulumi

from environments.program import review
from environments.settings import Settings, left_over, read_settings


def read_stack(stack: str) -> Settings:
    """Return what the stack file says, and warn of what has no effect. Raises SettingsError for what is wrong."""
    config = stack_config()
    settings = read_settings(config, stack)
    if left := left_over(config):
        of = f"environments:strategy.{', strategy.'.join(left)}"
        review.warn(f"{of}: {settings.strategy.kind} doesn't use this; another strategy left it over")
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
