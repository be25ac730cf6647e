"""The platform's own roles, told by what they are and never by their names: a login of dev's may be called anything.

On Neon these are `cloud_admin`, a superuser; `neon_superuser`, a group; `neon_service`, a login with the rights of that
group; in older projects `web_access`. In SQL the last three look like the roles that users make through Neon's API:
a superuser made them all. But Neon's API lists the users' roles alone, or says that a role is protected. A role that a
user made by SQL is told from them by its maker: from Postgres 16 on the maker may administer it, and before that only a
superuser could give a role REPLICATION.
"""

from __future__ import annotations

from collections.abc import Sequence

from environments.clients.neon import Role
from environments.clients.postgres import Connection
from environments.ids import RoleName

_MADE_WITH_THE_SERVER = """
SELECT rolname FROM pg_roles WHERE rolsuper OR oid < 16384
"""

_MADE_BY_A_SUPERUSER = """
SELECT r.rolname FROM pg_roles r
WHERE CASE WHEN current_setting('server_version_num')::int < 160000 THEN r.rolreplication
      ELSE NOT EXISTS (SELECT FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
                       WHERE a.roleid = r.oid AND a.admin_option AND NOT m.rolsuper) END
"""


def platform_roles(connection: Connection, listed: Sequence[Role]) -> frozenset[RoleName]:
    """Return the roles of Postgres and of the platform; `listed` are those that Neon's API has for the branch."""
    users = {role.name for role in listed if not role.protected}
    protected = {role.name for role in listed if role.protected}
    unlisted = _names(connection, _MADE_BY_A_SUPERUSER) - users
    return frozenset(_names(connection, _MADE_WITH_THE_SERVER) | protected | unlisted)


def _names(connection: Connection, query: str) -> set[RoleName]:
    return {RoleName(str(name)) for (name,) in connection.execute(query.encode()).fetchall()}
