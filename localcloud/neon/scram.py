"""SCRAM-SHA-256 verifiers (RFC 5803): Postgres is given these, and so never sees a password of ours in a statement."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

_ITERATIONS = 4096
_SALT_BYTES = 16


def verifier(password: str) -> str:
    """What Postgres stores for this (ASCII) password."""
    return _verifier(password, secrets.token_bytes(_SALT_BYTES), _ITERATIONS)


def matches(password: str, stored: str) -> bool:
    """Whether a stored verifier is one of this password."""
    try:
        scheme, parameters, _ = stored.split("$")
        iterations, salt = parameters.split(":")
        if scheme != "SCRAM-SHA-256":
            return False
        return hmac.compare_digest(_verifier(password, b64decode(salt), int(iterations)), stored)
    except ValueError:
        return False


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${iterations}:{salt_text}${stored_text}:{server_text}"
