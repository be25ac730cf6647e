"""The two tokens without which Neon and Vercel answer nothing: asked for before anything is tried, and never shown."""

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
        are = "is" if len(missing) == 1 else "are"
        lines = "\n".join(f"  - {name}: make one at {_TOKENS[name]}, and export it" for name in missing)
        local = 'On the local cloud: eval "$(python -m localcloud env)"'
        raise CredentialsError(f"{' and '.join(missing)} {are} not set; nothing was changed.\n{lines}\n{local}")
