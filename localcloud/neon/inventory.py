"""The roles and databases of a branch as the API lists them: made by itself, or made and dropped by SQL since."""

from __future__ import annotations

from localcloud.neon.catalog import Contents
from localcloud.neon.records import Database, Role
from localcloud.neon.store import Store


def learn(store: Store, branch_id: str, contents: Contents) -> None:
    """Bring the branch's records in line with what its compute holds."""
    roles = {role.name: role for role in store.all(Role, branch_id=branch_id)}
    databases = {database.name: database for database in store.all(Database, branch_id=branch_id)}
    with store.transaction():
        store.remove(*(role for name, role in roles.items() if name not in contents.roles))
        store.put(
            *(Role(branch_id=branch_id, name=name, made_by_sql=True) for name in sorted(contents.roles - roles.keys()))
        )
        store.remove(*(database for name, database in databases.items() if name not in contents.databases))
        for name, owner in sorted(contents.databases.items()):
            database = databases.get(name)
            if database is None:
                store.put(new_database(store, branch_id, name, owner))
            elif database.owner_name != owner:
                database.owner_name = owner
                store.put(database)


def new_database(store: Store, branch_id: str, name: str, owner: str) -> Database:
    """A record with the branch's next number."""
    numbers = [database.id for database in store.all(Database, branch_id=branch_id)]
    return Database(branch_id=branch_id, id=max(numbers, default=0) + 1, name=name, owner_name=owner)
