"""Cutover: the pointer. Its state says which branch serves, and with what each branch that ever served did so.

An update lets the branch that is to serve take writes, probes the staged deployment, stops the writes to the branch
that is left, counts what would stay behind on it, moves the production domains without a build, and looks at the domain
as a visitor would. Each step has its undo: a failure puts back what was, and production never points to what didn't
answer.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime
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

from resources.departure import Allowance, LeftBehindError, address, live_refusal, rows_of
from resources.deployment import has_served
from resources.fence import is_fenced, lift_fence, raise_fence
from resources.neon_api import Neon
from resources.postgres import connected
from resources.probe import Health, probe
from resources.review import first_review, is_known, move_review, same_branch_review
from resources.vercel_api import Vercel

_POINTER = ("branch", "fingerprint", "deployment")


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
        count = rows_of(_olds)
        if refusal := allowance.refusal(count, _olds["served_name"]):
            return CheckResult(news, [CheckFailure("", refusal)])
        pulumi.log.info(move_review(_olds, news, count, again=_served_before(news)))
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Point for the first time."""
        return CreateResult("cutover", _cut_over(props, None))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another branch, other credentials or another deployment."""
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in _POINTER))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Point to another branch, or to another deployment on the same one."""
        return UpdateResult(_cut_over(_news, _olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look where the domain really leads and whether the served branch takes writes.

        What a cutover that was cut short left, or a promotion by hand, is told as a pointer that is off, which the next
        update puts right.
        """
        if not props["deployment"]:
            return ReadResult(id_, props)
        with Vercel() as vercel:
            serving = vercel.serving(vercel.domain(props["vercel"]))
        if serving not in (None, props["deployment"]):
            return ReadResult(id_, props | {"deployment": serving})
        with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
            fenced = is_fenced(connection, props["role"])
        return ReadResult(id_, props | ({"fingerprint": ""} if fenced else {}))


class Cutover(Resource, module="environments", name="Cutover"):
    """The environment's pointer: which branch it serves, by which deployment, since when."""

    served: pulumi.Output[dict[str, str]]
    domain: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions) -> None:
        """Point as `props` say; an empty `deployment` means that this target's deployments come from pushes.

        neon, vercel                    the projects' ids
        served_name, branch, endpoint   the branch that is to serve
        source                          the environment's own branch that it was cloned from, or empty
        database, owner, role           what the app uses, and as whom
        fingerprint, baseline           of its Access
        deployment, deployment_url      of its Deployment
        health_path, health_status      what a healthy deployment answers
        facts                           target, strategy, source, moment, compute: for the review alone
        guard                           live, rows, accepted_branch, accepted_rows, fence_first; None for no guard
        """
        outputs = {"served": None, "domain": None, "history": None}
        super().__init__(CutoverProvider(), name, {**props, **outputs}, opts)


def _cut_over(props: dict[str, Any], olds: dict[str, Any] | None) -> dict[str, Any]:
    domain = _move(props, olds) if props["deployment"] else ""
    served = {
        "branch": props["served_name"],
        "id": props["branch"],
        "deployment": props["deployment"],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    history = (olds or {}).get("history") or {}
    entry = served | {"baseline": props["baseline"], "credentials": props["fingerprint"]}
    return props | {"served": served, "domain": domain, "history": history | {props["branch"]: entry}}


def _move(props: dict[str, Any], olds: dict[str, Any] | None) -> str:
    """Move the production domains to the deployment; return the domain at which that was checked.

    Raises what the failing step raised, after everything that was done before it is undone.
    """
    project, deployment = props["vercel"], props["deployment"]
    health = Health(props["health_path"], int(props["health_status"]))
    leaving = olds if olds and olds["branch"] != props["branch"] and props.get("guard") else None
    with Vercel() as vercel, ExitStack() as undo:
        domain = vercel.domain(project)
        before = vercel.serving(domain)
        _open_for_writes(props)
        if before != deployment:
            probe(props["deployment_url"], health)
        began = time.monotonic()
        if leaving and props["guard"]["fence_first"]:
            undo.callback(_lift, leaving)
            _close(leaving, Allowance.of(props["guard"]))
        if before != deployment:
            if before:
                undo.callback(vercel.promote, project, before, domain)
            vercel.promote(project, deployment, domain)
        pause = time.monotonic() - began
        probe(domain, health)
        undo.pop_all()
    if leaving:
        _tell(leaving, props, pause)
    return domain


def _served_before(news: dict[str, Any]) -> bool:
    """Tell whether the branch is known and a deployment that served it with these credentials can be promoted again."""
    if not (is_known(news["branch"]) and is_known(news["fingerprint"])):
        return False
    with Vercel() as vercel:
        return has_served(vercel, news["vercel"], news["branch"], news["fingerprint"])


def _close(leaving: dict[str, Any], allowance: Allowance) -> None:
    """Stop the writes to the branch that is left, and count exactly what stays on it."""
    _fence(leaving)
    if refusal := allowance.refusal(rows_of(leaving), leaving["served_name"]):
        raise LeftBehindError(f"{refusal}. The pointer stays on {leaving['served_name']}, which takes writes again")


def _tell(left: dict[str, Any], props: dict[str, Any], pause: float) -> None:
    was, now = left["served_name"], props["served_name"]
    if props["guard"]["fence_first"]:
        pulumi.log.info(f"{now} serves; writes paused for {pause:.2f} s, reads for none. {was} is read-only now.")
        return
    _fence(left)
    pulumi.log.info(f"{now} serves, without a pause. {was} is read-only now; only it holds {rows_of(left)}.")


def _fence(props: dict[str, Any]) -> None:
    with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
        raise_fence(connection, [props["role"]])


def _open_for_writes(props: dict[str, Any]) -> None:
    """Lift a fence from when the branch was left before; the domain leads elsewhere yet, so nobody writes."""
    if props.get("guard"):
        _lift(props)


def _lift(props: dict[str, Any]) -> None:
    with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
        lift_fence(connection, [props["role"]], props["database"], props["owner"])
