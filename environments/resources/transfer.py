"""Transfer: the rows of a branch that lies in another Neon project than its source, carried over by dump and restore.

Where a branch is cloned nothing of this is needed. The copy that this makes shows, before anything depends on it, that
the database can be carried over and how long that takes; the cutover makes it once more behind the fence, so that no
row is left behind.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, ResourceProvider

from environments import log
from environments.clients.http import NotFoundError
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, NotReadyError, connected
from environments.cutover.review import is_known
from environments.database.copy.fill import Place, fill, read_note, refusal
from environments.database.copy.roles_and_settings import other_databases
from environments.program.own import LegacyResource


class TransferProvider(ResourceProvider):
    """Fills a branch once; a later edit fills nothing, and deleting it empties nothing."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse, before the branch is there, what no dump can carry over."""
        if _olds or not (is_known(news["source_branch"]) and is_known(news["project"])):
            return CheckResult(news, [])
        why, others = _judged(news)
        if why:
            reason = f"branch {news['name']} can't be filled from {news['source_name']}: {why}"
            return CheckResult(news, [CheckFailure("", reason)])
        if others:
            of = f"{news['source_name']} has other databases besides {news['database']}"
            log.warn(f"{of}, which stay behind on it: {', '.join(others)}")
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Fill the branch; one that is a copy already, of a create whose end was not seen, is taken as it is."""
        with Neon() as neon:
            source, target = _source(neon, props), _place(neon, _target(props))
        with connected(target.uri) as owner:
            note = read_note(owner, target.branch)
        seconds = 0.0
        if note is None or note.source != source.branch:
            filled = fill(source, target)
            seconds = filled.seconds
            log.info(f"{props['name']} is filled from {props['source_name']}: {filled}")
        return CreateResult(props["branch"], props | {"seconds": round(seconds, 1)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Nothing changes it: the source is settled by BranchSource, and what was written since is the cutover's concern."""
        return DiffResult(changes=False)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Keep what is known while the branch is there."""
        try:
            with Neon() as neon:
                neon.branch(props["project"], props["branch"])
        except NotFoundError:
            return ReadResult("", {})
        return ReadResult(id_, props)


class Transfer(LegacyResource):
    """A branch filled by dump and restore; `seconds` is how long that took, 0 if it isn't known."""

    seconds: pulumi.Output[float]

    def __init__(
        self,
        name: str,
        *,
        source_name: str,
        source_project: pulumi.Input[str],
        source_branch: pulumi.Input[str | None],
        project: pulumi.Input[str],
        branch: pulumi.Input[str],
        endpoint: pulumi.Input[str],
        database: str,
        owner: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Fill `branch` of `project`, reached over its compute `endpoint`, with `database` of the source's branch.

        The source's compute is looked up when it is needed: leaning on it would make the branch that serves wait for
        the one that is to.
        """
        props: dict[str, Any] = {
            "name": name,
            "source_name": source_name,
            "source_project": source_project,
            "source_branch": source_branch,
            "project": project,
            "branch": branch,
            "endpoint": endpoint,
            "database": database,
            "owner": owner,
            "seconds": None,
        }
        super().__init__(TransferProvider(), name, props, opts)


def _judged(news: dict[str, Any]) -> tuple[str, list[str]]:
    """Return why the source can't be carried over, or nothing, and which of its databases aren't."""
    try:
        with Neon() as neon:
            newest = neon.project(news["project"]).postgres
            source = _source(neon, news)
        with connected(source.uri) as connection:
            return refusal(connection, None, newest), other_databases(connection)
    except UNREACHABLE as error:
        return f"it could not be asked ({error})", []


def _source(neon: Neon, props: dict[str, Any]) -> Place:
    project, branch = props["source_project"], props["source_branch"]
    for compute in neon.endpoints(project, branch):
        return _place(neon, Address(project, branch, compute.id, props["database"], props["owner"]))
    raise NotReadyError(f"branch {props['source_name']} has no compute to read it with")


def _place(neon: Neon, address: Address) -> Place:
    return Place(neon.uri(address, pooled=False), address.branch, address.owner)


def _target(props: dict[str, Any]) -> Address:
    return Address(*(props[key] for key in ("project", "branch", "endpoint", "database", "owner")))
