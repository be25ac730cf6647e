"""Who can write to a database besides the app's tables-and-rows right, which the fence takes away.

A list of known holes is never whole, so this looks the other way round: every login that can write at all is found, by
whatever right, and what isn't expected is for a person to allow or to end. Found are, for the app's own roles, the ways
that a REVOKE from them doesn't close; for each other login, any way:

- rights on tables, views and columns: the login's own, PUBLIC's, and those of every role that it is a member of,
  inherited or by SET ROLE
- tables that such a role owns, since an owner can give a right back to itself
- CREATE on a schema or on the database: a table of its own can be written to
- functions that run with their owner's rights, also those that are STABLE or IMMUTABLE: they may call a VOLATILE one
- large objects that such a role owns or may change

A login that was closed counts as long as a session of it lives.

Everybody may make *new* large objects, and functions that extensions bring are trusted: the count after the move is
for those.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from environments.clients.postgres import Connection
from environments.database.schemas import user_schemas
from environments.ids import RoleName

_PUBLIC = "public"
"""How Postgres' privilege functions call everybody; no role can be called so."""
_MOST_SHOWN = 3

_WAYS = """
WITH acts AS MATERIALIZED (
    SELECT l.rolname AS login, r.rolname AS role, r.oid
    FROM pg_roles l JOIN pg_roles r ON pg_has_role(l.oid, r.oid, 'MEMBER')
    WHERE (l.rolname = ANY(%(app)s) OR %(others)s AND l.rolname <> ALL(%(ignored)s)
           AND (l.rolcanlogin OR EXISTS (SELECT FROM pg_stat_activity s WHERE s.usesysid = l.oid)))
      AND has_database_privilege(l.oid, current_database(), 'CONNECT')
    UNION ALL
    SELECT rolname, 'public', 0 FROM pg_roles
    WHERE (rolname = ANY(%(app)s) OR %(others)s AND rolname <> ALL(%(ignored)s)
           AND (rolcanlogin OR EXISTS (SELECT FROM pg_stat_activity s WHERE s.usesysid = pg_roles.oid)))
      AND has_database_privilege(oid, current_database(), 'CONNECT')
), places AS MATERIALIZED (
    SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY(%(schemas)s)
), enters AS MATERIALIZED (
    SELECT DISTINCT a.login, n.oid AS place FROM acts a, places n WHERE has_schema_privilege(a.role, n.oid, 'USAGE')
)
SELECT a.login, a.role, 'table', format('%%I.%%I', n.nspname, c.relname)
FROM acts a JOIN enters e ON e.login = a.login JOIN places n ON n.oid = e.place
     JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'f') AND c.relpersistence <> 't'
WHERE a.role <> ALL(%(revoked)s)
  AND (has_table_privilege(a.role, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege(a.role, c.oid, 'INSERT, UPDATE'))
UNION
SELECT a.login, a.role, 'owned', format('%%I.%%I', n.nspname, c.relname)
FROM acts a JOIN pg_class c ON c.relowner = a.oid AND c.relkind IN ('r', 'p', 'v', 'f') AND c.relpersistence <> 't'
     JOIN places n ON n.oid = c.relnamespace
UNION
SELECT a.login, a.role, 'schema', n.nspname FROM acts a, places n WHERE has_schema_privilege(a.role, n.oid, 'CREATE')
UNION
SELECT a.login, a.role, 'database', current_database()
FROM acts a WHERE has_database_privilege(a.role, current_database(), 'CREATE')
UNION
SELECT a.login, a.role, 'function',
       format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
FROM acts a JOIN enters e ON e.login = a.login JOIN places n ON n.oid = e.place
     JOIN pg_proc p ON p.pronamespace = n.oid
WHERE p.prosecdef AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND p.proowner <> a.oid AND has_function_privilege(a.role, p.oid, 'EXECUTE')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION
SELECT a.login, a.role, 'objects', ''
FROM acts a WHERE EXISTS (
    SELECT FROM pg_largeobject_metadata m
    WHERE m.lomowner = a.oid
       OR EXISTS (SELECT FROM aclexplode(m.lomacl) g WHERE g.grantee = a.oid AND g.privilege_type = 'UPDATE'))
ORDER BY 1, 3, 4, 2
"""

_HAS_A_SESSION = "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename = ANY(%s)"


@dataclass(frozen=True)
class Writer:
    """Something that can write although the app's own right to write is gone.

    `name` is what the settings list to allow it: the login, or, where the app's own login is the one that can, the way
    by which it can. `ways` says how, `remedy` how to end it. `own` says that it is the app's own login.
    """

    name: str
    ways: str
    remedy: str
    own: bool = False

    def __str__(self) -> str:
        """Say who it is, how it can write and how to end that."""
        return f"{self.name} ({self.ways}; {self.remedy})"


@dataclass(frozen=True)
class _Way:
    """One right: `role`, which `login` is or can become, may write to a `thing` of a `kind`."""

    login: RoleName
    role: str
    kind: str
    thing: str

    def __str__(self) -> str:
        by = "" if self.role == self.login else ", as PUBLIC" if self.role == _PUBLIC else f", as {self.role}"
        return {
            "table": f"may write to {self.thing}{by}",
            "owned": f"owns {self.thing}{by}",
            "schema": f"may make tables in schema {self.thing}{by}",
            "database": f"may make schemas in {self.thing}{by}",
            "function": f"may call {self.thing}, which has its owner's rights{by}",
            "objects": f"may change large objects{by}",
        }[self.kind]

    def remedy(self, owner: RoleName) -> str:
        """Return what ends it for the app's own login; `owner` is the database's."""
        whom = "PUBLIC" if self.role == _PUBLIC else f'"{self.role}"'
        return {
            "table": f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {self.thing} FROM {whom}",
            "owned": f'ALTER TABLE {self.thing} OWNER TO "{owner}"',
            "schema": f"REVOKE CREATE ON SCHEMA {self.thing} FROM {whom}",
            "database": f"REVOKE CREATE ON DATABASE {self.thing} FROM {whom}",
            "function": f"make it SECURITY INVOKER, or REVOKE EXECUTE ON FUNCTION {self.thing} FROM {whom}",
            "objects": f'ALTER LARGE OBJECT … OWNER TO "{owner}"',
        }[self.kind]


def writers_besides(
    connection: Connection,
    app: Sequence[RoleName],
    ignored: Collection[RoleName] | None,
    *,
    revoked: Collection[RoleName] = (),
) -> list[Writer]:
    """Return who and what can write to this database, to be asked by its owner; changes nothing.

    `app` are the environment's own roles, and the rights of those that are `revoked` don't count: a fence takes them.
    `ignored` are the other logins that aren't looked at, None for all of them.
    """
    asked = {
        "app": list(app),
        "others": ignored is not None,
        "ignored": [*(ignored or ()), *app],
        "schemas": user_schemas(connection),
        "revoked": list(revoked),
    }
    found = [
        _Way(RoleName(str(login)), str(role), str(kind), str(thing))
        for login, role, kind, thing in connection.execute(_WAYS, asked).fetchall()
    ]
    inherited = {(way.login, way.kind, way.thing) for way in found if way.role != way.login}
    ways = [way for way in found if way.role != way.login or (way.login, way.kind, way.thing) not in inherited]
    owner = RoleName(connection.info.user)
    own = [_own_writer(way, app, owner) for way in ways if way.login in app]
    others = dict.fromkeys(way.login for way in ways if way.login not in app)
    return list(dict.fromkeys(own)) + [_login(name, [way for way in ways if way.login == name]) for name in others]


def with_sessions(connection: Connection, roles: Collection[RoleName]) -> set[RoleName]:
    """Return those of `roles` that have a session now."""
    return {RoleName(str(name)) for (name,) in connection.execute(_HAS_A_SESSION, (list(roles),)).fetchall()}


def _own_writer(way: _Way, app: Sequence[RoleName], owner: RoleName) -> Writer:
    """Return a way of the app's own login, named by the role that the login can become, or by the thing."""
    if way.role not in app and way.role != _PUBLIC:
        return Writer(way.role, f"{way.login} is a member of it", f'REVOKE "{way.role}" FROM "{way.login}"', own=True)
    names = {"schema": f"schema {way.thing}", "database": "new schemas", "objects": "large objects"}
    return Writer(names.get(way.kind, way.thing), f"{way.login} {way}", way.remedy(owner), own=True)


def _login(name: RoleName, ways: Sequence[_Way]) -> Writer:
    found = list(dict.fromkeys(map(str, ways)))
    more = f" and {len(found) - _MOST_SHOWN} ways more" if len(found) > _MOST_SHOWN else ""
    return Writer(
        name,
        f"a login that {', '.join(found[:_MOST_SHOWN])}{more}",
        f'ALTER ROLE "{name}" NOLOGIN, or take these rights',
    )
