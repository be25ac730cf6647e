"""What a dump of one database leaves out: roles and settings, which are copied here, and what stops a copy.

A dump holds a database's objects, rows, large objects and privileges. Roles belong to the whole server: the copy's
server gets them without a login, so that privileges and policies find the roles that they name; AppLogin opens the
app's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from environments.clients.lazy_imports import sql
from environments.clients.neon import Role
from environments.clients.postgres import Connection, connected
from environments.database.app_role import grant_membership
from environments.database.copy.checksum import SERVICE_EXTENSIONS
from environments.database.platform_roles import platform_roles
from environments.ids import RoleName

_ROLES = "SELECT rolname FROM pg_roles WHERE rolname <> ALL(%s) ORDER BY rolname"

_MEMBERS = """
SELECT g.rolname, m.rolname FROM pg_auth_members a
JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
WHERE g.rolname = ANY(%(roles)s) AND m.rolname = ANY(%(roles)s)
ORDER BY 1, 2
"""

_SETTINGS = """
SELECT r.rolname, s.setdatabase <> 0, unnest(s.setconfig) FROM pg_db_role_setting s
LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (s.setrole = 0 OR r.rolname = ANY(%s))
"""

_OBSTACLES = {
    "no dump holds what prepared transactions ({}) wrote: COMMIT PREPARED or ROLLBACK PREPARED them": """
        SELECT gid FROM pg_prepared_xacts WHERE database = current_database()""",
    "foreign servers ({}) have user mappings with passwords: drop them, and create them on the copy afterwards": """
        SELECT srvname FROM pg_foreign_server""",
    "logical replication slots ({}) point into this server's log: let their consumers finish, and drop them": """
        SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical' AND database = current_database()""",
    "subscriptions ({}) would keep receiving rows beside the copy: drop them, and subscribe again on the copy": """
        SELECT subname FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())""",
    "the database's owner can't read {}: GRANT SELECT on them to it, or make it their owner": """
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'S', 'm') AND n.nspname NOT LIKE 'pg\\_%'
          AND n.nspname NOT IN ('information_schema', 'neon', 'neon_migration')
          AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))""",
}

_OTHER_DATABASES = """
SELECT datname FROM pg_database
WHERE NOT datistemplate AND datallowconn AND datname NOT IN (current_database(), 'postgres') ORDER BY datname
"""


def obstacles(source: Connection, target: Connection | None) -> list[str]:
    """Return why the database of `source` can't be dumped and restored into `target` without losing something."""
    found = []
    for sentence, query in _OBSTACLES.items():
        if names := [str(name) for (name,) in source.execute(query.encode()).fetchall()]:
            found.append(sentence.format(", ".join(names)))
    if target is None:
        return found
    wanted = {str(name) for (name,) in source.execute("SELECT extname FROM pg_extension").fetchall()}
    available = {str(name) for (name,) in target.execute("SELECT name FROM pg_available_extensions").fetchall()}
    if lacking := sorted(wanted - available - set(SERVICE_EXTENSIONS)):
        found.append(
            f"the newer server doesn't offer the extensions {', '.join(lacking)}: drop them, or wait until it does"
        )
    return found


def other_databases(source: Connection) -> list[str]:
    """Return the branch's other databases, which a dump of this one doesn't hold."""
    return [str(name) for (name,) in source.execute(_OTHER_DATABASES).fetchall()]


def roles_of(source: Connection, owner: RoleName, listed: Sequence[Role]) -> list[RoleName]:
    """Return the roles that were made on `source`, but for `owner` and the platform's; `listed` are Neon's API's."""
    known = [owner, *platform_roles(source, listed)]
    return [RoleName(str(name)) for (name,) in source.execute(_ROLES, (known,)).fetchall()]


def carry_roles(source: Connection, target: Connection, roles: list[RoleName], owner: RoleName) -> None:
    """Make those of `roles` that `target` lacks, without a login, and `owner` a member of them all.

    Memberships among them are copied; passwords and attributes aren't.
    """
    existing = {str(name) for (name,) in target.execute("SELECT rolname FROM pg_roles").fetchall()}
    with target.transaction():
        for name in roles:
            if name not in existing:
                target.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
            grant_membership(target, name, owner)
        for group, member in source.execute(_MEMBERS, {"roles": roles}).fetchall():
            target.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(str(group)), sql.Identifier(str(member))))


def carry_settings(source: Connection, target_uri: str, database: str, roles: list[RoleName]) -> None:
    """Give the database of `target_uri` what ALTER DATABASE and ALTER ROLE have set for `source`'s and for `roles`."""
    for role, in_database, setting in source.execute(_SETTINGS, (roles,)).fetchall():
        name, _, value = str(setting).partition("=")
        alter, of = ("ROLE", role) if role else ("DATABASE", database)
        where = sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if role and in_database else sql.SQL("")
        # A session of its own, since the value is set in it first: so a list like search_path needs no quoting.
        with connected(target_uri) as target:
            target.execute("SELECT set_config(%s, %s, false)", (name, value))
            target.execute(
                sql.SQL("ALTER " + alter + " {}{} SET {} FROM CURRENT").format(
                    sql.Identifier(str(of)), where, sql.SQL(".").join(map(sql.Identifier, name.split(".")))
                )
            )
