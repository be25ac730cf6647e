"""TemporaryBranch: a branch that Neon deletes by itself when its time is over, with its source's rows or without them.

The provider's Branch knows neither an expiry nor a branch without rows (see docs/environments.md). This one is for
preview environments, and nothing else about it is special: its compute and its logins are those of any other branch.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from environments.branches.shareable import claims_on
from environments.clients.http import NotFoundError
from environments.clients.neon import Branch, Neon
from environments.database.marker import ClaimedError
from environments.ids import BranchId
from environments.program.own import LegacyResource

_SCHEMA_ONLY = "schema-only"


class NameTakenError(Exception):
    """A branch of that name is there already and isn't one whose making was cut short."""


class TemporaryBranchProvider(ResourceProvider):
    """Makes a branch with an expiry. One that has expired is made again, from its source as it is by then."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse to make a branch, for the first time or again, while its source isn't there."""
        if _olds or news.get("parent"):
            return CheckResult(news, [])
        reason = (
            f"branch {news['name']} is to be made as a copy of {news['source']}, which isn't there: bring that up "
            "first, then come back"
        )
        return CheckResult(news, [CheckFailure("", reason)])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the branch; one whose making was cut short is found by name and source, and lives its whole time."""
        project, name, expiry = props["project"], props["name"], {"expires_at": _expiry(props)}
        with Neon() as neon:
            there = next((branch for branch in neon.branches(project) if branch.name == name), None)
            if there is None:
                made, _ = neon.make_branch(project, _wanted(props) | expiry)
            elif _was_cut_short(neon, props, there):
                made = neon.change_branch(project, there.id, expiry)
            else:
                raise NameTakenError(
                    f"the project has a branch called {name} already ({there.id}), which this stack didn't make: "
                    f"give this one another key or name, or delete that one in Neon's console"
                )
        return CreateResult(made.id, props | {"expires_at": made.expires_at})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another name or lifetime, or an expiry that was taken away; what it is a copy of is settled for its life."""
        edited = any(_olds.get(key) != _news.get(key) for key in ("name", "lifetime"))
        return DiffResult(changes=edited or not _olds.get("expires_at"))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Rename the branch, and let an edited lifetime count from this moment."""
        changes = {"name": _news["name"]} if _olds["name"] != _news["name"] else {}
        if _olds["lifetime"] != _news["lifetime"] or not _olds.get("expires_at"):
            changes["expires_at"] = _expiry(_news)
        with Neon() as neon:
            changed = neon.change_branch(_news["project"], BranchId(_id), changes)
        return UpdateResult(_news | {"expires_at": changed.expires_at})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at its name and expiry; a branch that has expired is gone, and the next `up` makes it again."""
        try:
            with Neon() as neon:
                found = neon.branch(props["project"], BranchId(id_))
        except NotFoundError:
            return ReadResult("", {})
        return ReadResult(id_, props | {"name": found.name, "expires_at": found.expires_at})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the branch with its rows: it is temporary. Not while another stack's environment serves from it."""
        try:
            claims = claims_on(_props, BranchId(_id))
        except NotFoundError:
            claims = []
        if claims:
            stacks = ", ".join(sorted({claim.stack for claim in claims}))
            raise ClaimedError(f"{stacks} serves from branch {_props['name']} ({_id}): nothing was deleted")
        with Neon() as neon:
            neon.delete_branch(_props["project"], BranchId(_id))


class TemporaryBranch(LegacyResource):
    """A branch with an end. `expires_at` is when, in RFC 3339; Neon deletes it then or a little later."""

    expires_at: pulumi.Output[str]

    def __init__(
        self,
        key: str,
        *,
        project: pulumi.Input[str],
        name: str,
        source: str,
        parent: pulumi.Input[str | None],
        timestamp: int | None,
        lsn: str | None,
        lifetime: int,
        schema_only: bool,
        database: str,
        owner: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Make the branch `name`, which lives `lifetime` seconds from now, or from the moment when that is edited.

        `parent` is the id of what it is a copy of, called `source`: as it is, as of a `timestamp` (Unix seconds) or
        `lsn`, or with `schema_only` its schema without rows. `database` and its `owner` are those of the app.
        """
        props = {
            "project": project,
            "name": name,
            "source": source,
            "parent": parent,
            "timestamp": timestamp,
            "lsn": lsn,
            "lifetime": lifetime,
            "schema_only": schema_only,
            "database": database,
            "owner": owner,
            "expires_at": None,
        }
        super().__init__(TemporaryBranchProvider(), key, props, opts)


def _wanted(props: dict[str, Any]) -> dict[str, Any]:
    """Return the API's `branch` object, without the expiry."""
    wanted = {"name": props["name"], "parent_id": props["parent"]}
    if props.get("timestamp"):
        wanted["parent_timestamp"] = _text(datetime.fromtimestamp(props["timestamp"], UTC))
    if props.get("lsn"):
        wanted["parent_lsn"] = props["lsn"]
    if props["schema_only"]:
        wanted["init_source"] = _SCHEMA_ONLY
    return wanted


def _was_cut_short(neon: Neon, props: dict[str, Any], there: Branch) -> bool:
    """Tell whether `there` is what a killed create of this resource left.

    It expires, it is a copy of the same source, and it has no compute: one that another stack uses has.
    """
    if props["schema_only"]:
        alike = there.init_source == _SCHEMA_ONLY
    else:
        alike = there.parent_id == props["parent"]
    return bool(there.expires_at) and alike and not neon.endpoints(props["project"], there.id)


def _expiry(props: dict[str, Any]) -> str:
    return _text(datetime.now(UTC) + timedelta(seconds=int(props["lifetime"])))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
