"""Origin: where a branch comes from, settled once when the branch is made.

A branch can't be cloned again, so an edit of its source is refused rather than silently lost (the provider reports
"updated" and does nothing). Once settled, the other stack is needed no more: a broken dev can't stop production.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from resources.app_role import baseline
from resources.neon_api import Address, Neon
from resources.postgres import connected

_SOURCE = ("stack", "branch", "at")


class OriginProvider(ResourceProvider):
    """Settles a branch's source when it is made, and refuses every later change of it."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse an edited source, and a source that isn't there at the moment when it is needed."""
        name = news["name"]
        if _olds:
            if not _edited(_olds, news):
                return CheckResult(_olds, [])
            if _exists(_olds):
                reason = (
                    f"branch {name} is a copy of {_told(_olds)} and can't become one of {_told(news)}: "
                    f"add a new branch with that source instead, and put {name}'s line back as it was"
                )
                return CheckResult(news, [CheckFailure("", reason)])
        if news.get("parent"):
            return CheckResult(news, [])
        stack, branch = news["stack"], news["branch"]
        reason = (
            f"branch {name} is to be a copy of {branch} in stack {stack}, which exports no such branch: "
            f"run pulumi up -s {stack} first, or correct environments:branches.{name}.from"
        )
        return CheckResult(news, [CheckFailure("", reason)])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Only an edit that `check` let pass is a change: one made before the branch was."""
        return DiffResult(changes=_edited(_olds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep the source as it was given, and the fork if it is a branch of the same environment."""
        return CreateResult(props["name"], props | {"fork": _fork(props)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Take the new source of a branch that could not be made from the old one."""
        return UpdateResult(_news | {"fork": _fork(_news)})


class Origin(Resource, module="environments", name="Origin"):
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
        database: str,
        owner: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Take the source of branch `name`: `parent` is its Neon id, None while it isn't there.

        `own` says that it is of the same environment, whose `database` belongs to `owner`.
        """
        props: dict[str, Any] = {
            "name": name,
            "project": project,
            "stack": stack,
            "branch": branch,
            "at": at,
            "parent": parent,
        }
        props |= {"own": own, "database": database, "owner": owner, "fork": None}
        super().__init__(OriginProvider(), name, props, opts)


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
            address = Address(project, parent, compute["id"], props["database"], props["owner"])
            with connected(neon.uri(address, pooled=False)) as connection:
                return baseline(connection)
    return ""


def _exists(source: dict[str, Any]) -> bool:
    with Neon() as neon:
        return any(branch["name"] == source["name"] for branch in neon.branches(source["project"]))


def _told(source: dict[str, Any]) -> str:
    at = f" as of {source['at']}" if source["at"] else ""
    return f"{source['branch']} of stack {source['stack']}{at}"
