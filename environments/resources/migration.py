"""Migration: the served branch's schema, brought to what the app's migrations folder says.

Before anything runs, the folder and the tool's table are judged, and the preview tells what is pending. Then, under the
database's lock: a rehearsal on a copy of production's rows, a restore point, the run itself with limits, and a count of
what the tool's table holds afterwards, which alone says whether it was done. A failure leaves the schema as it was.

The restore point is made after the rehearsal, so that it holds the rows that were written while that ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

from environments import log
from environments.clients.lazy_imports import LazyModule
from environments.program.own import LegacyResource

if TYPE_CHECKING:
    from environments.migrations import apply as migrating
else:
    migrating = LazyModule("environments.migrations.apply")

_JUDGED = ("project", "branch", "database", "folder", "digest", "settings")
_RUN_ANEW = ("branch", "database", "folder", "digest")
_OUTPUTS = ("pending", "applied", "receipt", "restore_point", "way_back", "ran")


class MigrationProvider(ResourceProvider):
    """Runs what is pending; deleting the resource undoes no migration."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what would fail, lose rows or be passed over, and tell the reviewer what is pending.

        Where nothing changed nothing is asked: a preview without changes opens no connection.
        """
        if not news["folder"] or all(_olds.get(key) == news[key] for key in _JUDGED):
            return CheckResult(news, [])
        refusals, review = migrating.judged(news, _olds)
        if review:
            log.info(review)
        return CheckResult(news, [CheckFailure("", refusal) for refusal in refusals])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Run what is pending on a branch that this resource hasn't seen; what an earlier run did is found."""
        return CreateResult("migration", migrating.migrate(props, {}))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Other files, another branch, or something left pending, unless the settings say that it waits."""
        if not _news["folder"]:
            return DiffResult(changes=bool(_olds["folder"]))
        moved = any(_olds.get(key) != _news.get(key) for key in _RUN_ANEW)
        waits = _news["settings"]["stop_after_rehearsal"] and _olds.get("receipt")
        return DiffResult(changes=moved or bool(_olds.get("pending") and not waits))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Run what is pending."""
        return UpdateResult(migrating.migrate(_news, _olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at the tool's table: what is missing from it is pending, and is judged and run with the next update."""
        inputs = {key: value for key, value in props.items() if key not in _OUTPUTS}
        if not props["folder"]:
            return ReadResult(id_, props, inputs)
        pending = migrating.pending_tags(props)
        anew = {"digest": ""} if pending != props["pending"] else {}
        return ReadResult(id_, props | {"pending": pending} | anew, inputs | anew)


class Migration(LegacyResource):
    """The migrations of the served branch: what was applied, how long it took, and the way back."""

    pending: pulumi.Output[list[str]]
    applied: pulumi.Output[list[str]]
    receipt: pulumi.Output[dict[str, Any] | None]
    restore_point: pulumi.Output[dict[str, str] | None]
    way_back: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: pulumi.Input[str],
        served_name: str,
        branch: pulumi.Input[str],
        endpoint: pulumi.Input[str],
        database: str,
        owner: str,
        folder: str,
        digest: str,
        settings: dict[str, Any],
        source: str,
        at: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Bring `branch`, called `served_name` and reached over `endpoint`, to what is in `folder`; empty: do nothing.

        digest      of the folder's files, by environments.clients.app_files.app_digest
        settings    level, excluded_rules, allow_data_loss, postgres: what is refused (environments.migrations.checks.judge.JudgeOptions)
                    lock_timeout, statement_timeout, run_timeout: seconds
                    rehearse, stop_after_rehearsal: whether it is tried out first, and whether that is all for now
                    restore_point_days: how long the way back is kept (Neon: 30 at most)
                    table: drizzle's, where the app's configuration names another than its own
        source, at  the environment's own branch that it was cloned from, and as of when; or empty
        """
        props = {
            "project": project,
            "name": served_name,
            "branch": branch,
            "endpoint": endpoint,
            "database": database,
            "owner": owner,
            "folder": folder,
            "digest": digest,
            "settings": settings,
            "source": source,
            "at": at,
        }
        super().__init__(MigrationProvider(), name, {**props, **dict.fromkeys(_OUTPUTS)}, opts)
