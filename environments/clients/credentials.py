"""The two tokens without which nothing can be asked: missed before anything is tried, and never shown."""

from __future__ import annotations

from collections.abc import Mapping

from environments.errors import RefusedError

_TOKENS = {
    "NEON_API_KEY": "Neon's console, Account settings, API keys",
    "VERCEL_API_TOKEN": "Vercel's account settings, Tokens",
}


class CredentialsError(RefusedError):
    """A token is missing."""


def require_credentials(environment: Mapping[str, str]) -> None:
    """Raise CredentialsError if a token is missing or empty in `environment`."""
    missing = [name for name in _TOKENS if not environment.get(name, "").strip()]
    if missing:
        lines = "\n".join(f"  - {name}: export it; make one at {_TOKENS[name]}" for name in missing)
        local = 'For the local cloud: eval "$(python -m localcloud env)"'
        raise CredentialsError(f"{' and '.join(missing)} not set; nothing was changed.\n{lines}\n{local}")
