"""The configuration files of a compute, written whole at every start so that nothing old can linger in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SUPERUSER = "cloud_admin"
PORT = 5432

# Durability ends at the process, not at the power supply: this is a development machine.
# The log carries FATAL and PANIC only, since an error's text may quote a statement, and that a password.
_ALWAYS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "off",
    "full_page_writes": "on",
    "wal_level": "replica",
    "wal_keep_size": "2147483647",  # the log is a branch's history: it goes when the branch goes
    "wal_recycle": "off",
    "wal_init_zero": "off",
    "min_wal_size": "8MB",
    "max_wal_size": "256MB",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "password_encryption": "scram-sha-256",
    "shared_preload_libraries": "pg_stat_statements",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "datestyle": "iso, mdy",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.english",
    "dynamic_shared_memory_type": "posix",
    "hot_standby": "off",
    "recovery_target_timeline": "current",
}
_SINCE_18 = {"io_method": "sync"}
_UNTIL_THE_BACKUP_IS_CONSISTENT = {"recovery_target": "immediate", "recovery_target_action": "promote"}


def server_settings(
    major: int,
    *,
    sockets: Path,
    sizes: Mapping[str, str],
    identity: Mapping[str, str],
    trusted_extensions: Path | None,
    recovers_backup: bool,
    recovery: Mapping[str, str],
) -> str:
    """postgresql.conf; `identity` are the `neon.*` settings that tell a client which branch it reached.

    A branch that was copied from a running parent replays the log up to its own birth, and then lives; `recovery` says
    where the replay ends for one that goes back in time.
    """
    settings = {**_ALWAYS, "unix_socket_directories": str(sockets), **sizes, **identity}
    if major >= 18:
        settings |= _SINCE_18
    if recovers_backup:
        settings |= _UNTIL_THE_BACKUP_IS_CONSISTENT
    settings |= recovery
    if trusted_extensions is not None:
        settings["extension_control_path"] = f"{trusted_extensions}:$system"
    return "".join(f"{name} = '{_escaped(value)}'\n" for name, value in settings.items())


def host_based_authentication() -> str:
    """pg_hba.conf: the control plane is known by its process's user, everybody else by a password."""
    return (
        f"local all {SUPERUSER} peer map=control_plane\n"
        "local all all scram-sha-256\n"
        "local replication all scram-sha-256\n"
    )


def identity_map(system_user: str) -> str:
    """pg_ident.conf: the operating system's user who is the control plane."""
    return f'control_plane "{system_user}" {SUPERUSER}\n'


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
