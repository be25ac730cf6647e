"""The request bodies of Neon's API that are understood here; fields that it has and we don't use are passed over."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

SuspendTimeout = Annotated[int, Field(ge=-1, le=604_800)]
Retention = Annotated[int, Field(ge=0, le=2_592_000)]


class EndpointDefaults(BaseModel):
    """Sizes of the endpoints that name none."""

    autoscaling_limit_min_cu: float | None = None
    autoscaling_limit_max_cu: float | None = None
    suspend_timeout_seconds: SuspendTimeout | None = None


class EndpointSettings(BaseModel):
    """Postgres settings of an endpoint."""

    pg_settings: dict[str, str] = {}
    pgbouncer_settings: dict[str, str] = {}


class FirstBranch(BaseModel):
    """The root branch of a project to be."""

    name: str = "main"
    role_name: str | None = None
    database_name: str = "neondb"


class NewProject(BaseModel):
    """The `project` of a creation."""

    name: str | None = None
    org_id: str | None = None
    region_id: str = "aws-us-east-1"
    pg_version: int | None = None
    store_passwords: bool = True
    history_retention_seconds: Retention = 86_400
    branch: FirstBranch = FirstBranch()
    default_endpoint_settings: EndpointDefaults = EndpointDefaults()
    settings: dict[str, Any] = {}


class ProjectCreation(BaseModel):
    """POST /projects."""

    project: NewProject = NewProject()


class ProjectChange(BaseModel):
    """The `project` of an update."""

    name: str | None = None
    history_retention_seconds: Retention | None = None
    default_endpoint_settings: EndpointDefaults = EndpointDefaults()
    settings: dict[str, Any] = {}


class ProjectUpdate(BaseModel):
    """PATCH /projects/{project_id}."""

    project: ProjectChange


class NewBranch(BaseModel):
    """The `branch` of a creation."""

    name: str | None = None
    parent_id: str | None = None
    parent_lsn: str | None = None
    parent_timestamp: str | None = None
    protected: bool = False
    archived: bool = False
    init_source: Literal["parent-data", "schema-only"] = "parent-data"
    expires_at: str | None = None


class BranchEndpoint(EndpointDefaults):
    """An endpoint that is made together with its branch."""

    type: Literal["read_write", "read_only"]
    settings: EndpointSettings = EndpointSettings()


class BranchCreation(BaseModel):
    """POST …/branches."""

    branch: NewBranch = NewBranch()
    endpoints: list[BranchEndpoint] = []


class BranchChange(BaseModel):
    """The `branch` of an update."""

    name: str | None = None
    protected: bool | None = None
    expires_at: str | None = None


class BranchRestore(BaseModel):
    """POST …/branches/{branch_id}/restore."""

    source_branch_id: str
    source_lsn: str | None = None
    source_timestamp: str | None = None
    preserve_under_name: str | None = None


class BranchUpdate(BaseModel):
    """PATCH …/branches/{branch_id}."""

    branch: BranchChange


class NewEndpoint(BranchEndpoint):
    """The `endpoint` of a creation."""

    branch_id: str
    name: str | None = Field(default=None, min_length=1, max_length=64)
    pooler_enabled: bool = False
    disabled: bool = False


class EndpointCreation(BaseModel):
    """POST …/endpoints."""

    endpoint: NewEndpoint


class EndpointChange(EndpointDefaults):
    """The `endpoint` of an update."""

    branch_id: str | None = None
    name: str | None = Field(default=None, min_length=1, max_length=64)
    pooler_enabled: bool | None = None
    disabled: bool | None = None
    settings: EndpointSettings = EndpointSettings()


class EndpointUpdate(BaseModel):
    """PATCH …/endpoints/{endpoint_id}."""

    endpoint: EndpointChange


class NewRole(BaseModel):
    """The `role` of a creation."""

    name: str
    no_login: bool = False


class RoleCreation(BaseModel):
    """POST …/roles."""

    role: NewRole


class NewDatabase(BaseModel):
    """The `database` of a creation."""

    name: str
    owner_name: str


class DatabaseCreation(BaseModel):
    """POST …/databases."""

    database: NewDatabase


class DatabaseChange(BaseModel):
    """The `database` of an update."""

    name: str | None = None
    owner_name: str | None = None


class DatabaseUpdate(BaseModel):
    """PATCH …/databases/{database_name}."""

    database: DatabaseChange
