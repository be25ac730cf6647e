"""What the control plane remembers: plain records, one table each, free of HTTP and of processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

Json = dict[str, Any]

DEFAULT_SUSPEND_SECONDS = 300
NEVER_SUSPEND = -1

FIRST_TIMELINE = 1

PARENT_DATA = "parent-data"
SCHEMA_ONLY = "schema-only"


def now() -> str:
    """The present in the API's format."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(kw_only=True)
class Project:
    """A set of branches that share one Postgres version and one series of timelines."""

    id: str
    name: str
    region_id: str
    pg_version: int
    store_passwords: bool
    history_retention_seconds: int
    org_id: str
    settings: Json
    default_endpoint_settings: Json
    newest_timeline: int = FIRST_TIMELINE
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)


@dataclass(kw_only=True)
class Branch:
    """A data directory with a lineage.

    Its log is written on `timeline` and starts at `start_lsn`; a root's goes on from the pristine cluster `base`. These
    are empty for a branch that was made before history was kept.
    """

    id: str
    project_id: str
    name: str
    parent_id: str | None = None
    parent_lsn: str | None = None
    parent_timestamp: str | None = None
    init_source: str = PARENT_DATA
    is_default: bool = False
    protected: bool = False
    passwords_pending: bool = False
    logical_size: int = 0
    timeline: int = 0
    base: str = ""
    start_lsn: str = ""
    folder: str = ""
    expires_at: str | None = None
    ttl_interval_seconds: int | None = None
    last_reset_at: str | None = None
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)

    @property
    def directory(self) -> str:
        """The folder of its data: its id, or another one since it was restored in place."""
        return self.folder or self.id

    @property
    def begun_at(self) -> str:
        """When its own history starts."""
        return self.last_reset_at or self.created_at


@dataclass(kw_only=True)
class Endpoint:
    """A compute's settings; whether it runs is the fleet's knowledge."""

    id: str
    project_id: str
    branch_id: str
    type: str
    min_cu: float
    max_cu: float
    suspend_timeout_seconds: int = 0
    pooler_enabled: bool = False
    disabled: bool = False
    name: str | None = None
    started_at: str | None = None
    last_active: str | None = None
    suspended_at: str | None = None
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)

    def idle_seconds_allowed(self) -> float:
        """Seconds without a client until the compute is suspended; infinite where it never is."""
        if self.suspend_timeout_seconds == NEVER_SUSPEND:
            return float("inf")
        return self.suspend_timeout_seconds or DEFAULT_SUSPEND_SECONDS


@dataclass(kw_only=True)
class Role:
    """A Postgres role of one branch; one made by SQL has no password that we know."""

    branch_id: str
    name: str
    password: str | None = None
    made_by_sql: bool = False
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)


@dataclass(kw_only=True)
class Database:
    """A Postgres database of one branch."""

    branch_id: str
    id: int
    name: str
    owner_name: str
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)


@dataclass(kw_only=True)
class Operation:
    """A piece of work that was done; ours is over when its answer is sent."""

    project_id: str
    action: str
    branch_id: str | None = None
    endpoint_id: str | None = None
    status: str = "finished"
    total_duration_ms: int = 0
    id: str = field(default_factory=lambda: str(uuid4()))
    created_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
