"""Cutover: the pointer. Its state says which branch serves, and with what each branch that ever served did so.

What a move costs is counted and refused here, before anything happens; the move itself is in environments/cutover/move.py.
"""

from __future__ import annotations

from dataclasses import asdict
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
from environments.clients.adopting import adopting
from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, NotReadyError, connected
from environments.clients.vercel import Vercel, visit
from environments.cutover.first_cutover import serving_now, takeover_refusal
from environments.cutover.guard import Allowance, address, copies_again, move_refusal, rows_of, swap_refusal
from environments.cutover.move import cut_over, fence_later, served_by
from environments.cutover.review import first_review, handover_review, is_known, move_review, same_branch_review
from environments.database.fence import is_fenced
from environments.database.marker import read_claims, read_mark
from environments.database.provenance import EVERY_ROW, broken
from environments.ids import BranchId, DeploymentId
from environments.program.own import LegacyResource
from environments.resources.deployment import last_served

_POINTER = ("branch", "served_name", "claim", "fingerprint", "deployment", "baseline")
_OUTPUTS = ("served", "domain", "history", "unfinished")


class CutoverProvider(ResourceProvider):
    """Moves the pointer; deleting the resource moves nothing."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse a move that leaves rows behind, and tell the reviewer what the move means. Changes nothing."""
        refusal, review = _judged(_olds, news) if news.get("guard") and not adopting() else ("", "")
        if review:
            log.info(review)
        return CheckResult(news, [CheckFailure("", refusal)] if refusal else [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Point for the first time."""
        return CreateResult("cutover", cut_over(props, None))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another branch, credentials, deployment or baseline; or a step that the last move left undone."""
        moved = any(_olds.get(key) != _news.get(key) for key in _POINTER)
        return DiffResult(changes=moved or bool(_olds.get("unfinished")))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Point to another branch, or to another deployment on the same one."""
        return UpdateResult(cut_over(_news, _olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look where the domain really leads, whether the served branch takes writes and what its baseline is worth.

        What a cutover that was cut short left, or a promotion by hand, is told as the pointer that it is: the next
        update counts and moves from there. Where pushes deploy (redeploy), what was pushed since is as it should be.
        """
        if not props["deployment"]:
            return ReadResult(id_, props)
        found = props | _really_served(props)
        found |= _left_claimed(found)
        try:
            with Neon() as neon, connected(neon.uri(address(found), pooled=False)) as connection:
                if is_fenced(connection, found["role"]):
                    found["fingerprint"] = ""
                if broken(connection, found["branch"], found["roles"], found["baseline"]):
                    found["baseline"] = EVERY_ROW
        except UNREACHABLE as error:
            log.warn(f"whether {found['served_name']} takes writes can't be told: {error}")
        return ReadResult(id_, found, {key: value for key, value in found.items() if key not in _OUTPUTS})


class Cutover(LegacyResource):
    """The environment's pointer: which branch it serves, by which deployment, since when."""

    served: pulumi.Output[dict[str, str]]
    domain: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions) -> None:
        """Point as `props` say; an empty `deployment` means that this target's deployments come from pushes.

        neon, vercel                    the projects' ids
        served_name, branch, endpoint   the branch that is to serve
        pointer                         what `pulumi config set serve` takes to have it there
        shuts_logins                    whether the branch was there before and its logins don't stay open
        visited                         the branches of other stacks that it ever was to serve, by their ids
        claim                           stack, min_cu, max_cu, suspend, protected: what is needed of a branch that
                                        another stack owns; {} where it is the environment's own
        source, fork                    the environment's own branch that it was cloned from, and when in transaction
                                        ids of that branch; or empty
        lsn, restore_point              as of which moment of its source it was made, or empty; the Migration's last
        copy                            None for a clone; of a copy from another Neon project, the `source_branch`'s id
                                        and the `seconds` that it took
        database, owner, role, roles    what the app uses, as whom, and the two that it is in turn
        fingerprint, baseline           of its AppLogin
        app_url                         the app's URL, a secret: to keep its password out of a log that is shown
        deployment, deployment_url      of its Deployment
        redeploys                       whether pushes deploy as well
        health_path, health_status      what a healthy deployment answers
        facts                           target, strategy, source, moment, compute, build: for the review alone
        guard                           moves, live, rows, accepted_branch, accepted_rows, fence_first; None for none
        """
        secret = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["app_url"]))
        super().__init__(CutoverProvider(), name, {**props, **dict.fromkeys(_OUTPUTS)}, secret)


def _judged(olds: dict[str, Any], news: dict[str, Any]) -> tuple[str, str]:
    """Return why the move is refused, and what the reviewer is told of it: at most one of the two."""
    if not olds:
        serving = serving_now(news)
        refusal = swap_refusal(news) or takeover_refusal(news, serving)
        return refusal, "" if refusal else first_review(news, serving.deployment if serving else "")
    if olds["branch"] == news["branch"]:
        if olds["served_name"] != news["served_name"]:
            return "", handover_review(olds, news)
        return "", same_branch_review(news) if olds["deployment"] != news["deployment"] else ""
    again = _served_before(news)
    if refusal := move_refusal(olds, news, again=again):
        return refusal, ""
    count = rows_of(olds, news, planned=True)
    refusal = Allowance.of(news["guard"]).refusal(count, olds["served_name"])
    return refusal, "" if refusal else move_review(olds, news, count, again=again, copied=copies_again(olds, news))


def _served_before(news: dict[str, Any]) -> bool:
    """Tell whether the branch is known and a deployment that served it with these credentials can be promoted again."""
    if not (is_known(news["branch"]) and is_known(news["app_url"])):
        return False
    try:
        return last_served(news["app_url"], news["branch"]) is not None
    except NotReadyError:
        return False


def _really_served(props: dict[str, Any]) -> dict[str, Any]:
    """Return what of the pointer is not as `props` say: which deployment has the domain, and which branch it uses.

    A branch that has the domain without the state knowing was left in the middle of a move: the one before is noted as
    unfinished, so that the next update fences it.
    """
    with Vercel() as vercel:
        domain = vercel.domain(props["vercel"])
        serving = vercel.serving(domain)
        if serving in (None, props["deployment"]):
            return {}
        meta = vercel.deployment(DeploymentId(str(serving))).meta
    branch = BranchId(meta["neonBranch"]) if meta.get("neonBranch") else None
    if branch is None and props["redeploys"] and visit(domain, props["health_path"]).branch in (None, props["branch"]):
        return {}
    if branch in (None, props["branch"]):
        return {"deployment": serving}
    try:
        found = _of_branch(props | {"neon": meta.get("neonProject") or props["neon"]}, branch)
    except UNREACHABLE as error:
        log.warn(f"{domain} leads to {serving}, whose database isn't there: {error}")
        return {"deployment": serving}
    found |= {"deployment": serving, "fingerprint": meta.get("credentials", "")}
    return found | {"served": served_by(props | found), "unfinished": {"fence": fence_later(props)}}


def _left_claimed(props: dict[str, Any]) -> dict[str, Any]:
    """Return as unfinished what a move that was cut short claimed and doesn't serve: its stack couldn't let it go."""
    left = {}
    for branch, place in (props.get("visited") or {}).items():
        if branch == props["branch"]:
            continue
        try:
            with Neon() as neon, connected(neon.uri(address(place), pooled=False)) as connection:
                if set(read_claims(connection, branch)) & set(place["roles"]):
                    left[branch] = place
        except UNREACHABLE as error:
            log.warn(f"whether {place['served_name']} says that it serves here can't be told: {error}")
    waiting = (props.get("unfinished") or {}).get("fence") or {}
    return {"unfinished": {"fence": waiting | left}} if left else {}


def _of_branch(props: dict[str, Any], branch: BranchId) -> dict[str, Any]:
    with Neon() as neon:
        name = neon.branch(props["neon"], branch).name
        computes = neon.endpoints(props["neon"], branch)
        if not computes:
            raise NotReadyError(f"branch {name} has no compute")
        found = {"neon": props["neon"], "branch": branch, "served_name": name, "endpoint": computes[0].id}
        with connected(neon.uri(address(props | found), pooled=False)) as connection:
            mark = read_mark(connection, props["roles"], branch)
    claim = asdict(mark.claim) if mark and mark.claim else {}
    return found | {"baseline": mark.baseline if mark else EVERY_ROW, "claim": claim}
