"""Cutover: the pointer. Its state says which branch serves, and with what each branch that ever served did so.

What a move costs is counted and refused here, before anything happens; the move itself is in resources/move.py.
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
    Resource,
    ResourceProvider,
    UpdateResult,
)

from resources.departure import Allowance, address, live_refusal, rows_of
from resources.deployment import has_served
from resources.fence import is_fenced
from resources.mark import read_mark
from resources.move import cut_over
from resources.neon_api import Neon
from resources.postgres import connected
from resources.review import first_review, is_known, move_review, same_branch_review
from resources.vercel_api import Vercel

_POINTER = ("branch", "fingerprint", "deployment")
_OUTPUTS = ("served", "domain", "history", "unfinished")


class CutoverProvider(ResourceProvider):
    """Moves the pointer; deleting the resource moves nothing."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse a move that leaves rows behind, and tell the reviewer what the move means. Changes nothing."""
        if not news.get("guard"):
            return CheckResult(news, [])
        if not _olds:
            pulumi.log.info(first_review(news))
            return CheckResult(news, [])
        if _olds["branch"] == news["branch"]:
            if _olds["deployment"] != news["deployment"]:
                pulumi.log.info(same_branch_review(news))
            return CheckResult(news, [])
        allowance = Allowance.of(news["guard"])
        if allowance.live and (refusal := live_refusal(_olds, news)):
            return CheckResult(news, [CheckFailure("", refusal)])
        count = rows_of(_olds, news)
        if refusal := allowance.refusal(count, _olds["served_name"]):
            return CheckResult(news, [CheckFailure("", refusal)])
        pulumi.log.info(move_review(_olds, news, count, again=_served_before(news)))
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Point for the first time."""
        return CreateResult("cutover", cut_over(props, None))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another branch, other credentials or another deployment; or a step that the last move left undone."""
        moved = any(_olds.get(key) != _news.get(key) for key in _POINTER)
        return DiffResult(changes=moved or bool(_olds.get("unfinished")))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Point to another branch, or to another deployment on the same one."""
        return UpdateResult(cut_over(_news, _olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look where the domain really leads and whether the served branch takes writes.

        What a cutover that was cut short left, or a promotion by hand, is told as the pointer that it is: the next
        update counts and moves from there. Where pushes deploy (redeploy), what was pushed since is as it should be.
        """
        if not props["deployment"]:
            return ReadResult(id_, props)
        found = props | _really_served(props)
        with Neon() as neon, connected(neon.uri(address(found), pooled=False)) as connection:
            if is_fenced(connection, found["role"]):
                found["fingerprint"] = ""
        return ReadResult(id_, found, {key: value for key, value in found.items() if key not in _OUTPUTS})


class Cutover(Resource, module="environments", name="Cutover"):
    """The environment's pointer: which branch it serves, by which deployment, since when."""

    served: pulumi.Output[dict[str, str]]
    domain: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions) -> None:
        """Point as `props` say; an empty `deployment` means that this target's deployments come from pushes.

        neon, vercel                    the projects' ids
        served_name, branch, endpoint   the branch that is to serve
        source, fork                    the environment's own branch that it was cloned from, and when in transaction
                                        ids of that branch; or empty
        database, owner, role, roles    what the app uses, as whom, and the two that it is in turn
        fingerprint, baseline           of its Access
        deployment, deployment_url      of its Deployment
        redeploys                       whether pushes deploy as well
        health_path, health_status      what a healthy deployment answers
        facts                           target, strategy, source, moment, compute, build: for the review alone
        guard                           live, rows, accepted_branch, accepted_rows, fence_first; None for no guard
        """
        super().__init__(CutoverProvider(), name, {**props, **dict.fromkeys(_OUTPUTS)}, opts)


def _served_before(news: dict[str, Any]) -> bool:
    """Tell whether the branch is known and a deployment that served it with these credentials can be promoted again."""
    if not (is_known(news["branch"]) and is_known(news["fingerprint"])):
        return False
    with Vercel() as vercel:
        return has_served(vercel, news["vercel"], news["branch"], news["fingerprint"])


def _really_served(props: dict[str, Any]) -> dict[str, Any]:
    """Return what of the pointer is not as `props` say: which deployment has the domain, and which branch it uses."""
    with Vercel() as vercel:
        serving = vercel.serving(vercel.domain(props["vercel"]))
        if serving in (None, props["deployment"]):
            return {}
        meta = vercel.deployment(str(serving)).get("meta") or {}
    branch = meta.get("neonBranch")
    if branch in (None, props["branch"]):
        return {} if branch is None and props["redeploys"] else {"deployment": serving}
    with Neon() as neon:
        name = neon.branch(props["neon"], branch)["name"]
        endpoint = neon.endpoints(props["neon"], branch)[0]["id"]
        found = {"branch": branch, "served_name": name, "endpoint": endpoint}
        with connected(neon.uri(address(props | found), pooled=False)) as connection:
            baseline = read_mark(connection, props["roles"], branch)
    return found | {"deployment": serving, "fingerprint": meta.get("credentials", ""), "baseline": baseline or "0"}
