"""Who besides the app can write to the branch that a move leaves: nobody may whom the settings don't list.

The fence holds the app's own login. What another one writes after the move stays on the branch that was left, and
nobody would see it there. On a branch of another stack that stack's logins are its own business: only the ways of this
environment's login count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, Connection
from environments.cutover.served import ServedBranch
from environments.cutover.sessions import Sessions, sessions_on
from environments.database.databases import OtherDatabase
from environments.database.logins import closed_by_password, existing
from environments.database.marker import Claim, read_claims
from environments.database.platform_roles import platform_roles
from environments.database.writers import Writer, with_sessions, writers_besides
from environments.ids import BranchKey, RoleName


def find_other_writers(leaving: ServedBranch) -> list[Writer]:
    """Return who besides the app can write to the branch; nobody if it can't be reached, as its count says then."""
    try:
        with sessions_on(leaving) as sessions:
            return other_writers(sessions, leaving)
    except UNREACHABLE:
        return []


def other_writers(sessions: Sessions, leaving: ServedBranch) -> list[Writer]:
    """Return who besides the app can write to the app's database, and who can at all to the others of its branch."""
    app, ignored = existing(sessions.main, list(leaving.roles)), _expected_logins(sessions.main, leaving)
    claims = read_claims(sessions.main, leaving.address.branch)
    found = writers_besides(sessions.main, app, ignored, revoked=app)
    return [
        *(_of_a_stack(each, claims.get(RoleName(each.name)), leaving.key) for each in found),
        *_elsewhere(sessions.others, app, ignored),
    ]


def _expected_logins(connection: Connection, leaving: ServedBranch) -> set[RoleName] | None:
    """Return the logins that may write, or have no password that anybody knows; None for all of them.

    That is the database's owner, whose password this program has reset, the platform's roles, and the logins that were
    given an unknown password, unless one has a session all the same. One that was closed by SQL and can log in was
    opened again by somebody.
    """
    if leaving.claim:
        return None
    address = leaving.address
    with Neon() as neon:
        platform = platform_roles(connection, neon.roles(address.project, address.branch))
    shut = closed_by_password(connection, leaving.shut_out) - with_sessions(connection, leaving.shut_out)
    return {*platform, *shut} | (set() if leaving.keeps_logins else {address.owner})


def _of_a_stack(writer: Writer, claim: Claim | None, branch: BranchKey) -> Writer:
    """Return the writer, in other words if it is the login of another stack, whose `claim` is on the branch."""
    if claim is None:
        return writer
    ways = f"stack {claim.stack} serves from {branch} with this login"
    return replace(writer, ways=ways, remedy=f"have {claim.stack} serve another branch first")


def _elsewhere(others: Sequence[OtherDatabase], app: Sequence[RoleName], ignored: set[RoleName] | None) -> list[Writer]:
    """Return who can write to the branch's other databases, where no fence holds even the app's own login."""
    found: dict[str, Writer] = {}
    for database in others:
        if database.session is None:
            continue
        for each in writers_besides(database.session, app, ignored):
            name = f"database {database.name}" if each.own else each.name
            found.setdefault(name, replace(each, name=name, ways=f"in database {database.name}: {each.ways}"))
    return list(found.values())


def writers_refusal(writers: Sequence[Writer], listed: Sequence[str], branch: BranchKey) -> str:
    """Return that `branch` can't be left while `writers` can write to it whom the settings don't list, or nothing."""
    unlisted = list({each.name: each for each in writers if each.name not in listed}.values())
    if not unlisted:
        return ""
    names = ", ".join(each.name for each in unlisted)
    return (
        f"after the move {names} could still write to {branch}, where nobody would see it: "
        f"{'; '.join(map(str, unlisted))}. The pointer was not moved. Or list what may go on writing there: "
        f"safety: {{other_writers: [{', '.join([*listed, *(each.name for each in unlisted)])}]}}"
    )
