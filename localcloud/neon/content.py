"""What a new branch begins with, or a restored one goes on with: another branch's content, now or as it once was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from localcloud.neon import catalog, identifiers
from localcloud.neon.branching import copy_branch, never_started
from localcloud.neon.catalog import Connection, Contents
from localcloud.neon.control import ControlPlane
from localcloud.neon.copying import size_of_data
from localcloud.neon.history import Line, forked_at, replayed
from localcloud.neon.points import Moment, Point, Position, lsn_text, moment_text, require_kept
from localcloud.neon.records import FIRST_TIMELINE, Branch, Database, Role, now
from localcloud.neon.schema import transfer


@dataclass(frozen=True)
class Inventory:
    """The roles and databases that a branch's files hold."""

    roles: list[Role]
    databases: list[Database]


async def fill(control: ControlPlane, branch: Branch, source: Branch, point: Point | None) -> Inventory:
    """Make the files of a branch on its new timeline, complete its record, and return what is in it.

    Roles have the passwords that the source's have now. Where the source is protected and another branch, those that
    the API knows are new and the others become void: its next start sets them.
    """
    if point is not None:
        require_kept(point, source, control.project(source.project_id))
    await control.refresh_inventory(source)
    branch.passwords_pending = source.passwords_pending or (source.protected and source.id != branch.id)
    if point is None or never_started(control.fleet.data(source)):
        inventory = await _copy(control, branch, source, point)
    else:
        inventory = await _replay(control, branch, source, point)
    if source.protected and source.id != branch.id:
        for role in inventory.roles:
            role.password = None if role.password is None else identifiers.password()
    return inventory


async def _copy(control: ControlPlane, branch: Branch, source: Branch, point: Point | None) -> Inventory:
    origin = await copy_branch(
        control.fleet,
        control.installation(source.project_id),
        source,
        control.enabled_endpoint(source.id),
        target=control.fleet.data(branch),
        timeline=branch.timeline,
    )
    branch.parent_lsn = branch.start_lsn = origin.lsn
    branch.parent_timestamp = moment_text(origin.taken_at.replace(microsecond=0))
    branch.logical_size = origin.size
    if isinstance(point, Moment):
        branch.parent_timestamp = moment_text(point.at)
    elif isinstance(point, Position):
        branch.parent_lsn = lsn_text(point.lsn)
    roles = control.store.all(Role, branch_id=source.id)
    databases = control.store.all(Database, branch_id=source.id)
    return Inventory(
        [replace(role, branch_id=branch.id, created_at=now(), updated_at=now()) for role in roles],
        [replace(database, branch_id=branch.id, created_at=now(), updated_at=now()) for database in databases],
    )


async def _replay(control: ControlPlane, branch: Branch, source: Branch, point: Point) -> Inventory:
    target = control.fleet.data(branch)
    line = Line(tuple(control.line(source)), control.fleet.base(control.line(source)[0].base))
    async with (
        replayed(
            control.fleet,
            control.installation(source.project_id),
            line,
            control.enabled_endpoint(source.id),
            point,
            target=target,
            timeline=branch.timeline,
        ) as compute,
        catalog.connect(compute.sockets) as connection,
    ):
        branch.start_lsn = forked_at(target, branch.timeline)
        branch.parent_lsn = lsn_text(point.lsn) if isinstance(point, Position) else branch.start_lsn
        moment = point.at if isinstance(point, Moment) else await _last_commit(connection)
        branch.parent_timestamp = moment_text(moment or datetime.fromisoformat(source.begun_at))
        branch.logical_size = size_of_data(target)
        contents = await catalog.read(connection)
        known = {role.name: role.password for role in control.store.all(Role, branch_id=source.id)}
        for name in contents.roles & known.keys():
            password = known[name]
            if password is not None and not await catalog.has_password(connection, name, password):
                await catalog.set_password(connection, name, password)
    return _found(control, branch, source, contents, known)


def _found(
    control: ControlPlane, branch: Branch, source: Branch, contents: Contents, known: dict[str, str | None]
) -> Inventory:
    """What was there at the point; a role that was dropped since has a password that nobody knows."""
    by_sql = {role.name for role in control.store.all(Role, branch_id=source.id) if role.made_by_sql}
    roles = [
        Role(branch_id=branch.id, name=name, password=known.get(name), made_by_sql=name in by_sql or name not in known)
        for name in sorted(contents.roles)
    ]
    numbers = {database.name: database.id for database in control.store.all(Database, branch_id=source.id)}
    highest = max(numbers.values(), default=0)
    databases = []
    for name, owner in sorted(contents.databases.items()):
        highest += name not in numbers
        number = numbers.get(name, highest)
        databases.append(Database(branch_id=branch.id, id=number, name=name, owner_name=owner))
    return Inventory(roles, databases)


async def _last_commit(connection: Connection) -> datetime | None:
    found = await connection.execute("SELECT pg_last_xact_replay_timestamp()")
    row = await found.fetchone()
    return row[0].astimezone(UTC) if row and isinstance(row[0], datetime) else None


async def fill_with_schema(control: ControlPlane, branch: Branch, source: Branch, point: Point | None) -> Inventory:
    """Make the files of a new root with the source's roles, databases and schemas and without its rows."""
    scratch = replace(branch, id=identifiers.branch_id())
    data = control.fleet.data(branch)
    installation = control.installation(source.project_id)
    try:
        inventory = await fill(control, scratch, source, point)
        data.parent.mkdir(mode=0o700)
        template = await control.launcher.template(installation.major)
        await template.copy_to(data)
        async with (
            control.fleet.private(control.fleet.data(scratch)) as full,
            control.fleet.private(data) as empty,
        ):
            await transfer(installation, full, empty)
            async with catalog.connect(empty.sockets) as connection:
                branch.start_lsn = await catalog.log_position(connection)
        branch.passwords_pending = scratch.passwords_pending
        branch.timeline, branch.base = FIRST_TIMELINE, template.name
        branch.logical_size = size_of_data(data)
    finally:
        control.fleet.discard(scratch.directory)
    return Inventory(
        [replace(role, branch_id=branch.id) for role in inventory.roles],
        [replace(database, branch_id=branch.id) for database in inventory.databases],
    )
