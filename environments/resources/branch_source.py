"""BranchSource: where a branch comes from, settled once when the branch is made.

A branch can't be cloned again, so an edit of its source is refused rather than silently lost (the provider reports
"updated" and does nothing). Once settled, the other stack is needed no more: a broken dev can't stop production.

It comes before the branch and goes after it. So it is also where an edit is refused that would take the branch away
from another stack that serves from it, and where a deletion that Neon refused, for which the provider reports success,
is noticed.
"""

from __future__ import annotations

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

from environments import log
from environments.branches.deleted import gone_refusal, looked, newest_operation
from environments.branches.duplicate_projects import warn_of_twins
from environments.branches.shareable import lending_refusal
from environments.clients.neon import Address, Neon
from environments.clients.postgres import connected
from environments.cutover.review import is_known
from environments.database.provenance import baseline
from environments.program.own import LegacyResource

_KINDS = {"temporary": " that expires", "empty": " that expires and holds no rows"}
_SOURCE = ("stack", "branch", "at", "kind")
_OUTPUTS = ("fork", "settled")


class StillThereError(Exception):
    """Neon kept a branch that was to be deleted."""


class BranchSourceProvider(ResourceProvider):
    """Settles a branch's source when it is made, and refuses every later change of it."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse an edited source, and a source that isn't there at the moment when it is needed."""
        refusal = (gone_refusal(_olds, news) or _moved(_olds, news)) if _olds else ""
        if _olds and not refusal and not _edited(_olds, news):
            kept = _olds | {key: news[key] for key in ("wanted", "serves", "lends")}
            refusal = lending_refusal(_olds, news)
            if not refusal and (told := _parting(_olds, news)):
                log.warn(told)
            return _checked(kept, refusal)
        if _olds and not refusal and _exists(_olds):
            kind = _olds["kind"] != news["kind"]
            refusal = (
                f"branch {news['name']} is a copy of {_told(_olds, kind=kind)} and can't become one of "
                f"{_told(news, kind=kind)}: add a new branch with that source instead, and put {news['name']}'s line "
                "back as it was"
            )
        return _checked(news, refusal or _sourceless(news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Tell of another source, which `check` lets pass before the branch is made, and of what `delete` must know."""
        kept = all(_olds["wanted"][key] == _news["wanted"][key] for key in ("name", "fate"))
        return DiffResult(changes=_edited(_olds, _news) or not kept)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep the source as it was given, and the fork if it is a branch of the same environment.

        A branch that is adopted lives on: a migration's restore point would end by itself.
        """
        if props["kind"] == "adopted":
            _keep(props)
        settled = newest_operation(props["project"])
        if props["lends"]:
            warn_of_twins(props["project"])
        made = _id(props) if props["kind"] == "adopted" else ""
        return CreateResult(props["name"], props | {"fork": _fork(props), "settled": settled, "made": made})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Take the new source of a branch that could not be made from the old one, or the new name or fate."""
        fork = _fork(_news) if _edited(_olds, _news) else _olds["fork"]
        return UpdateResult(_news | {"fork": fork, "settled": _olds.get("settled")})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look whether the branch is still there, for the next `check` to refuse if it was deleted by hand."""
        found = props | looked(props)
        return ReadResult(id_, found, {key: value for key, value in found.items() if key not in _OUTPUTS})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Look whether the branch is really gone, if it was to go; a temporary one says so itself when it isn't."""
        wanted = _props["wanted"]
        if wanted["fate"] != "delete" or _props["kind"] in _KINDS:
            return
        with Neon() as neon:
            branches = neon.branches(_props["project"])
        found = next((branch for branch in branches if branch.name == wanted["name"]), None)
        if found is None:
            return
        copies = ", ".join(sorted(branch.name for branch in branches if branch.parent_id == found.id))
        reason = f"since {copies} was cloned from it: drop that first" if copies else "see its console for the reason"
        raise StillThereError(
            f"Neon did not delete branch {wanted['name']} ({found.id}), {reason}. Then delete it in Neon's console, "
            "where its compute is gone already, and run pulumi up again"
        )


class BranchSource(LegacyResource):
    """The settled source of one branch."""

    parent: pulumi.Output[str]
    fork: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: pulumi.Input[str],
        stack: str,
        branch: str,
        at: str,
        parent: pulumi.Input[str | None],
        own: bool,
        kind: str,
        lends: bool,
        wanted: dict[str, Any],
        database: str,
        owner: str,
        serves: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Take the source of branch `name`: `parent` is its Neon id, None while it isn't there.

        `own` says that it is of the same environment, whose `database` belongs to `owner`. `kind` is clone, temporary
        (a clone that expires), empty (one without rows) or adopted. `wanted` is what the branch shall be: name,
        min_cu, max_cu, suspend, protected, fate. `lends` says that other stacks may serve from it. Whether it `serves`
        is for the words of a refusal alone.
        """
        props: dict[str, Any] = {
            "name": name,
            "project": project,
            "stack": stack,
            "branch": branch,
            "at": at,
            "parent": parent,
        }
        props |= {"kind": kind, "lends": lends, "wanted": wanted}
        props |= {"own": own, "database": database, "owner": owner, "serves": serves, "made": "", "gone": False}
        props |= dict.fromkeys(_OUTPUTS)
        super().__init__(BranchSourceProvider(), name, props, opts)


def _parting(olds: dict[str, Any], news: dict[str, Any]) -> str:
    """Return what an edit of the branch's fate means for its rows, or nothing."""
    name, fate = news["name"], news["wanted"]["fate"]
    if fate == olds["wanted"]["fate"] or fate not in ("delete", "orphan"):
        return ""
    if fate == "orphan":
        return f"{name} is released: nothing happens to it, not even when its line is dropped; it stays in Neon"
    return f"{name} is retired: nothing is deleted yet. Dropping its line then deletes it, with every row on it"


def _checked(props: dict[str, Any], refusal: str) -> CheckResult:
    return CheckResult(props, [CheckFailure("", refusal)] if refusal else [])


def _sourceless(news: dict[str, Any]) -> str:
    """Return that there is nothing to clone or to adopt, if so."""
    if news.get("parent"):
        return ""
    if news["kind"] != "adopted":
        return (
            f"branch {news['name']} is to be a copy of {news['branch']} in stack {news['stack']}, which exports no "
            f"such branch: run pulumi up -s {news['stack']} first, or correct environments:branches.{news['name']}.from"
        )
    if _exists(news):
        return ""
    wanted = news["wanted"]["name"]
    return (
        f"branch {news['name']} is to be adopted, and the project has none called {wanted}: correct its key or its name"
    )


def _moved(olds: dict[str, Any], news: dict[str, Any]) -> str:
    """Return that the branch lies in another project than the settings say, if so."""
    if not is_known(news["project"]) or news["project"] == olds["project"]:
        return ""
    return (
        f"branch {news['name']} lies in Neon project {olds['project']} and can't be moved to {news['project']}: put "
        "the project back as it was. For a branch in another project add one with project and copy: dump"
    )


def _keep(props: dict[str, Any]) -> None:
    with Neon() as neon:
        for found in neon.branches(props["project"]):
            if found.name == props["wanted"]["name"] and found.expires_at:
                neon.keep_branch(props["project"], found.id)


def _edited(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    return any(olds.get(key) != news.get(key) for key in _SOURCE)


def _fork(props: dict[str, Any]) -> str:
    """Return the oldest transaction that the copy could miss.

    Empty where that isn't known: another's branch, another moment, no compute, or a copy that is there already.
    """
    if not props["own"] or props["at"] or _exists(props):
        return ""
    project, parent = props["project"], props["parent"]
    with Neon() as neon:
        for compute in neon.endpoints(project, parent):
            address = Address(project, parent, compute.id, props["database"], props["owner"])
            with connected(neon.uri(address, pooled=False)) as connection:
                return baseline(connection)
    return ""


def _exists(source: dict[str, Any]) -> bool:
    return bool(_id(source))


def _id(source: dict[str, Any]) -> str:
    """Return the id of the branch that bears the wanted name, or nothing."""
    with Neon() as neon:
        branches = neon.branches(source["project"])
    return next((str(branch.id) for branch in branches if branch.name == source["wanted"]["name"]), "")


def _told(source: dict[str, Any], *, kind: bool) -> str:
    at = f" as of {source['at']}" if source["at"] else ""
    fate = _KINDS.get(source["kind"], " that stays") if kind else ""
    return f"{source['branch']} of stack {source['stack']}{at}{fate}"
