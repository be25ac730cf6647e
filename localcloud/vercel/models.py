"""What the local Vercel remembers: projects, variables, domains, deployments, aliases, build events.

Times are milliseconds since 1970, as on Vercel's wire. Nothing here knows about requests or about storage.
"""

import secrets
import string
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_ALPHANUMERIC = string.ascii_letters + string.digits
_LOWERCASE = string.ascii_lowercase + string.digits
SCOPE = "local"
OWNER = "usr_local"
PLATFORM_DOMAIN = "vercel.app"


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def new_id(prefix: str = "", length: int = 24) -> str:
    """An unguessable id such as `dpl_…`."""
    return prefix + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


def new_slug(length: int = 9) -> str:
    """Random lower-case letters and digits, fit for a host name."""
    return "".join(secrets.choice(_LOWERCASE) for _ in range(length))


@dataclass(frozen=True, slots=True)
class AliasRequest:
    """A promote or a rollback: which deployment the production domains left, and which they went to."""

    kind: str
    origin: str | None
    goal: str
    requested_at: int = field(default_factory=now)


class ReadyState(StrEnum):
    """How far a deployment's build has come."""

    QUEUED = "QUEUED"
    BUILDING = "BUILDING"
    READY = "READY"
    ERROR = "ERROR"
    CANCELED = "CANCELED"


class Substate(StrEnum):
    """Whether a production deployment ever got the production domains."""

    STAGED = "STAGED"
    PROMOTED = "PROMOTED"


class VariableType(StrEnum):
    """How a variable's value may be read back."""

    ENCRYPTED = "encrypted"
    PLAIN = "plain"
    SENSITIVE = "sensitive"
    SECRET = "secret"  # noqa: S105 - the type's name
    SYSTEM = "system"


@dataclass(slots=True)
class Project:
    """A project; `settings` are the wire fields that clients set and that the local cloud hands back."""

    name: str
    id: str = field(default_factory=lambda: new_id("prj_"))
    created_at: int = field(default_factory=now)
    updated_at: int = field(default_factory=now)
    settings: dict[str, Any] = field(default_factory=dict)
    bypass: dict[str, int] = field(default_factory=dict)
    production: str | None = None
    held_at: str | None = None
    last_alias_request: AliasRequest | None = None

    @property
    def stages(self) -> bool:
        """Whether a new production deployment waits for a promote: by setting, or after a rollback."""
        return self.held_at is not None or self.settings.get("autoAssignCustomDomains") is False


@dataclass(slots=True)
class Variable:
    """One environment variable of a project."""

    project_id: str
    key: str
    value: str = field(repr=False)
    type: VariableType
    target: list[str]
    git_branch: str | None = None
    custom_environments: list[str] = field(default_factory=list)
    comment: str | None = None
    configuration_id: str | None = None
    content_hint: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: new_id(length=16))
    created_at: int = field(default_factory=now)
    updated_at: int = field(default_factory=now)

    @property
    def is_managed(self) -> bool:
        """Whether an integration owns it: a connected account, or a database of Vercel's Storage."""
        hint = self.content_hint or {}
        return self.configuration_id is not None or hint.get("type") == "integration-store-secret"


@dataclass(slots=True)
class Domain:
    """A name that a project serves: production's, or one git branch's."""

    name: str
    project_id: str
    git_branch: str | None = None
    redirect: str | None = None
    redirect_status: int | None = None
    created_at: int = field(default_factory=now)

    @property
    def is_production(self) -> bool:
        """Whether promote and rollback move it."""
        return self.git_branch is None and self.redirect is None


@dataclass(slots=True)
class Alias:
    """A host that points to one deployment."""

    host: str
    deployment_id: str
    project_id: str
    uid: str = field(default_factory=lambda: new_id("als_"))
    created_at: int = field(default_factory=now)
    updated_at: int = field(default_factory=now)


@dataclass(slots=True)
class DeployedFile:
    """One file of a deployment, by content."""

    path: str
    sha: str
    size: int
    mode: int = 0o644


@dataclass(slots=True)
class Deployment:
    """One immutable deployment; `env` is what was captured when it was created."""

    project_id: str
    name: str
    host: str
    target: str | None
    files: list[DeployedFile] = field(repr=False)
    id: str = field(default_factory=lambda: new_id("dpl_", 28))
    env: dict[str, str] = field(default_factory=dict, repr=False)
    build_env: dict[str, str] = field(default_factory=dict, repr=False)
    own_env: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list, repr=False)
    meta: dict[str, str] = field(default_factory=dict)
    git_branch: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    source: str = "cli"
    origin: str | None = None
    promote_when_ready: bool = False
    skip_domains: bool = False
    state: ReadyState = ReadyState.QUEUED
    substate: Substate | None = None
    created_at: int = field(default_factory=now)
    building_at: int | None = None
    ready_at: int | None = None
    alias_assigned_at: int | None = None
    error_code: str | None = None
    error_message: str | None = None

    @property
    def is_production(self) -> bool:
        """Whether it was built for production."""
        return self.target == "production"


@dataclass(slots=True)
class BuildEvent:
    """One line of a build's log."""

    deployment_id: str
    type: str
    text: str
    id: str = field(default_factory=lambda: new_id(length=20))
    created_at: int = field(default_factory=now)
