"""Records as Neon's API shows them, with every field that its OpenAPI document requires."""

from __future__ import annotations

from typing import Any

from localcloud.neon.control import ControlPlane
from localcloud.neon.records import Branch, Database, Endpoint, Operation, Project, Role

View = dict[str, Any]

OWNER = {"email": "local@example.com", "name": "local", "branches_limit": -1, "subscription_type": "scale_v3"}
OWNER_ID = "00000000-0000-4000-8000-000000000001"
PROXY_HOST = "localhost"
_PROVISIONER = "k8s-neonvm"
_SOURCE = "console"


def project(control: ControlPlane, record: Project) -> View:
    """Project."""
    consumption = ("data_storage_bytes_hour", "data_transfer_bytes", "written_data_bytes", "compute_time_seconds")
    return {
        **project_item(control, record),
        **dict.fromkeys((*consumption, "active_time_seconds"), 0),
        "history_retention_seconds": record.history_retention_seconds,
        "owner": OWNER,
        "consumption_period_start": record.created_at,
        "consumption_period_end": "0001-01-01T00:00:00Z",
    }


def project_item(control: ControlPlane, record: Project) -> View:
    """ProjectListItem."""
    size = sum(branch.logical_size for branch in control.store.all(Branch, project_id=record.id))
    return {
        "id": record.id,
        "platform_id": record.region_id.partition("-")[0],
        "region_id": record.region_id,
        "name": record.name,
        "provisioner": _PROVISIONER,
        "default_endpoint_settings": record.default_endpoint_settings,
        "settings": record.settings,
        "pg_version": record.pg_version,
        "proxy_host": PROXY_HOST,
        "branch_logical_size_limit": 16_777_216,
        "branch_logical_size_limit_bytes": 16_777_216 << 20,
        "store_passwords": record.store_passwords,
        "active_time": 0,
        "cpu_used_sec": 0,
        "creation_source": _SOURCE,
        "history_retention_seconds": record.history_retention_seconds,
        "synthetic_storage_size": size,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "owner_id": OWNER_ID,
        "org_id": record.org_id,
    }


def branch(record: Branch) -> View:
    """Branch."""
    counters = ("cpu_used_sec", "active_time_seconds", "compute_time_seconds", "written_data_bytes")
    optional = {
        "parent_id": record.parent_id,
        "parent_lsn": record.parent_lsn,
        "parent_timestamp": record.parent_timestamp,
        "expires_at": record.expires_at,
        "ttl_interval_seconds": record.ttl_interval_seconds,
        "last_reset_at": record.last_reset_at,
    }
    return {
        "id": record.id,
        "project_id": record.project_id,
        **_present(optional),
        "name": record.name,
        "current_state": "ready",
        "state_changed_at": record.created_at,
        "logical_size": record.logical_size,
        "creation_source": _SOURCE,
        "primary": record.is_default,
        "default": record.is_default,
        "protected": record.protected,
        **dict.fromkeys((*counters, "data_transfer_bytes"), 0),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "init_source": record.init_source,
    }


def endpoint(control: ControlPlane, record: Endpoint) -> View:
    """Endpoint."""
    moments = {
        "name": record.name,
        "last_active": record.last_active,
        "started_at": record.started_at,
        "suspended_at": record.suspended_at,
    }
    return {
        "host": host(record),
        "id": record.id,
        "project_id": record.project_id,
        "branch_id": record.branch_id,
        "autoscaling_limit_min_cu": record.min_cu,
        "autoscaling_limit_max_cu": record.max_cu,
        "region_id": control.project(record.project_id).region_id,
        "type": record.type,
        "current_state": "active" if control.is_active(record) else "idle",
        "settings": {"pg_settings": {}},
        "pooler_enabled": record.pooler_enabled,
        "pooler_mode": "transaction",
        "disabled": record.disabled,
        "passwordless_access": True,
        **_present(moments),
        "creation_source": _SOURCE,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "proxy_host": PROXY_HOST,
        "suspend_timeout_seconds": record.suspend_timeout_seconds,
        "provisioner": _PROVISIONER,
    }


def host(record: Endpoint, *, pooled: bool = False) -> str:
    """A host name in Neon's shape; what really connects is the address and option of a connection URI."""
    return f"{record.id}{'-pooler' if pooled else ''}.{PROXY_HOST}"


def role(record: Role, *, with_password: bool = False) -> View:
    """Role."""
    shown = _present({"password": record.password if with_password else None})
    return {
        "branch_id": record.branch_id,
        "name": record.name,
        **shown,
        "protected": False,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def database(record: Database) -> View:
    """Database."""
    return dict(vars(record))


def operation(record: Operation) -> View:
    """Operation."""
    return {**_present(vars(record)), "failures_count": 0}


def operations(records: list[Operation]) -> list[View]:
    """Operations, in the order of their execution."""
    return [operation(record) for record in records]


def _present(values: View) -> View:
    return {name: value for name, value in values.items() if value is not None}
