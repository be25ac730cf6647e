"""Moving the pointer, step by step, each step with its undo.

The branch that is to serve takes writes again, the staged deployment is probed, the writes to the branch that is left
are stopped, what would stay behind on it is counted, the production domains move without a build, and the domain is
looked at as a visitor would. A failure puts back what was: production never points to what didn't answer.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from environments import log
from environments.clients.neon import Neon
from environments.clients.postgres import UNREACHABLE, Connection, connected
from environments.clients.vercel import Vercel
from environments.cutover.guard import Allowance, LeftBehindError, address, copies_again, rows_of
from environments.cutover.probe import Health, UnhealthyError, probe
from environments.database.app_role import baseline
from environments.database.copy.carry_over import carry_over, was_cut_short
from environments.database.fence import lift_fence, raise_fence
from environments.database.logins import close_login, drain, existing
from environments.database.marker import BranchMarker, Claim, drop_claim, read_mark, write_mark
from environments.database.provenance import EVERY_ROW, note_served
from environments.database.rows import RowCount, count_rows

_KEPT = ("neon", "branch", "endpoint", "database", "owner", "role", "roles", "served_name", "baseline", "claim")
_DOMAIN_PATIENCE = 10.0
"""Seconds; short, since visitors write to the new branch meanwhile, and the deployment was healthy on its own host."""
_COUNT_SECONDS = 20.0


class UndoneError(Exception):
    """A move failed and was undone; production is as it was."""


def cut_over(props: dict[str, Any], olds: dict[str, Any] | None) -> dict[str, Any]:
    """Point as `props` say and return the cutover's outputs; `olds` are the earlier ones, None for the first time.

    Raises UndoneError, after everything that was done is undone, or what the undo raised.
    """
    guard, olds = props.get("guard"), olds or {}
    leaving = olds if olds and olds["branch"] != props["branch"] and guard else None
    to_fence = dict((olds.get("unfinished") or {}).get("fence") or {})
    if leaving and guard and not guard["fence_first"]:
        to_fence |= fence_later(leaving)
    to_fence.pop(props["branch"], None)
    newly = not olds or olds["branch"] != props["branch"]
    if leaving:
        _make_whole(leaving, props)
    domain = _move(props, leaving, newly=newly) if props["deployment"] else ""
    served = served_by(props)
    entry = served | {"baseline": props["baseline"], "credentials": props["fingerprint"]}
    return props | {
        "served": served,
        "domain": domain,
        "history": (olds.get("history") or {}) | {props["branch"]: entry},
        "unfinished": _finish(props, leaving, to_fence, olds if newly and olds.get("claim") else {}),
    }


def served_by(props: dict[str, Any]) -> dict[str, str]:
    """Return what a stack exports of its pointer: branch, deployment, and since when."""
    return {
        "branch": props["served_name"],
        "id": props["branch"],
        "deployment": props["deployment"],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def fence_later(props: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, by its id, what has to be known of a branch to stop the writes to it in a later step or update."""
    return {props["branch"]: {key: props[key] for key in _KEPT}}


def _make_whole(leaving: dict[str, Any], props: dict[str, Any]) -> None:
    """Fill a copy anew that a killed update left without its rows: the probe comes before the fence, and needs them."""
    if props.get("copy") and was_cut_short(address(props)) and copies_again(leaving, props):
        log.info(
            f"an update was cut short while the rows were carried over: {carry_over(address(leaving), address(props))}"
        )


def _move(props: dict[str, Any], leaving: dict[str, Any] | None, *, newly: bool) -> str:
    """Move the production domains to the deployment; return the domain at which that was checked.

    `newly` says that the branch doesn't serve yet: then a failure closes it again.
    """
    project, deployment = props["vercel"], props["deployment"]
    health = Health(props["health_path"], int(props["health_status"]), props["branch"])
    stayed: list[str] = []
    since: list[str] = []
    with Vercel() as vercel, ExitStack() as connections, ExitStack() as undo:
        domain = vercel.domain(project)
        before = vercel.serving(domain)
        if props.get("guard"):
            owner = connections.enter_context(_owner(props))
            if newly:
                since.append(baseline(owner))
                undo.callback(_shut, owner, props, since, stayed)
                _claim(owner, props, undo)
            lift_fence(owner, [props["role"]], props["database"], props["owner"])
        try:
            if before != deployment:
                probe(props["deployment_url"], health)
            began = time.monotonic()
            count = None
            if leaving and props["guard"]["fence_first"]:
                again = copies_again(leaving, props)
                count = _close(leaving, props, connections, undo, since if again else None)
                if again:
                    probe(props["deployment_url"], health)
            if before != deployment:
                if before:
                    undo.callback(vercel.promote, project, before, domain)
                vercel.promote(project, deployment, domain)
            pause = time.monotonic() - began
            probe(domain, health, _DOMAIN_PATIENCE)
        except Exception as error:  # noqa: BLE001 - whatever it was, what was done is undone
            _undo(undo, error)
            told = "".join(f" {text}." for text in stayed)
            written = vercel.log(deployment, [props["app_url"]]) if isinstance(error, UnhealthyError) else ""
            raise UndoneError(f"{error}. Production is as it was.{told}{written}") from None
        undo.pop_all()
    if leaving and count:
        was, now = leaving["served_name"], props["served_name"]
        paused = f"writes paused for {pause:.2f} s, reads for none"
        log.info(f"{now} serves; {paused}. {was} is read-only now; only it holds {count}.")
    return domain


def _claim(owner: Connection, props: dict[str, Any], undo: ExitStack) -> None:
    """Tell the stack that owns the branch what is needed of it, before anything points to it."""
    if props["claim"]:
        role, branch = props["role"], props["branch"]
        mark = read_mark(owner, props["roles"], branch) or BranchMarker(EVERY_ROW)
        undo.callback(write_mark, owner, role, branch, mark)
        write_mark(owner, role, branch, replace(mark, claim=Claim.of(props["claim"])))


def _undo(undo: ExitStack, error: Exception) -> None:
    try:
        undo.close()
    except Exception as failure:  # noqa: BLE001 - whatever it was, the reader must know both
        raise UndoneError(
            f"{error}. Undoing what was done failed as well ({failure}): run python -m recovery, then pulumi up"
        ) from None


def _close(
    leaving: dict[str, Any], props: dict[str, Any], connections: ExitStack, undo: ExitStack, since: list[str] | None
) -> RowCount:
    """Stop the writes to the branch that is left, and count exactly what stays on it.

    If `since` is given, its rows are carried over once more before that, and noted there from when on others count.
    The connection stays open until the move is decided, so that the fence can be lifted whatever happens. A branch that
    can't be reached is left only if any number of rows is accepted.
    """
    was, allowance = leaving["served_name"], Allowance.of(props["guard"])
    try:
        owner = connections.enter_context(_owner(leaving))
    except UNREACHABLE as error:
        count = RowCount((), f"its database could not be asked ({error})")
        if refusal := allowance.refusal(count, was):
            raise LeftBehindError(refusal) from None
        log.warn(f"{was} is left without a fence: {count.missing}")
        return count
    undo.callback(lift_fence, owner, [leaving["role"]], leaving["database"], leaving["owner"])
    raise_fence(owner, existing(owner, leaving["roles"]))
    if since is not None:
        log.info(f"carried over behind the fence: {carry_over(address(leaving), address(props))}")
        with _owner(props) as copy:
            since.append(baseline(copy))
            lift_fence(copy, [props["role"]], props["database"], props["owner"])
    count = rows_of(leaving, props)
    if refusal := allowance.refusal(count, was):
        raise LeftBehindError(f"{refusal}. The pointer stays on {was}, which takes writes again")
    return count


def _shut(owner: Connection, props: dict[str, Any], since: list[str], stayed: list[str]) -> None:
    """Stop the writes to a branch that doesn't serve after all, and tell what was written to it while it did."""
    raise_fence(owner, existing(owner, props["roles"]))
    count = count_rows(owner, int(since[-1]), _COUNT_SECONDS)
    if count.total or count.missing:
        stayed.append(f"Visitors wrote {count} to {props['served_name']} in the meantime: there they stay, read-only")


def _finish(
    props: dict[str, Any], left: dict[str, Any] | None, to_fence: dict[str, dict[str, Any]], claimed: dict[str, Any]
) -> dict[str, Any] | None:
    """Do what comes after the move, before the compute that was left shrinks.

    That is to close the last generation's login, to let what is under way on the branch that was left come to its end,
    to raise the fences that waited for the move, and to take back the claim on another stack's branch that was left.
    The pointer has moved, whatever fails here: a failure is a warning, and what is returned is for the next update.
    """
    undone = to_fence | (fence_later(claimed) if claimed else {})
    try:
        with _owner(props) as owner:
            note_served(owner, props)
            for role in props["roles"]:
                if role != props["role"]:
                    close_login(owner, role)
        if left and not _unreachable(left):
            with _owner(left) as owner:
                drain(owner, left["roles"])
        if claimed and not _unreachable(claimed):
            with _owner(claimed) as owner:
                drop_claim(owner, claimed["roles"], claimed["branch"])
        if claimed and claimed["branch"] not in to_fence:
            del undone[claimed["branch"]]
        for branch, waiting in to_fence.items():
            with _owner(waiting) as owner:
                raise_fence(owner, existing(owner, waiting["roles"]))
                drop_claim(owner, waiting["roles"], branch)
            del undone[branch]
            count, was = rows_of(waiting, props), waiting["served_name"]
            log.info(f"{props['served_name']} serves. {was} is read-only now; only it holds {count}.")
    except Exception as error:  # noqa: BLE001 - see above
        log.warn(f"{props['served_name']} serves, but the move is not finished: {error}. Run pulumi up again.")
        return {"fence": undone, "told": str(error)}
    return None


def _unreachable(props: dict[str, Any]) -> bool:
    try:
        with _owner(props):
            return False
    except UNREACHABLE:
        return True


def _owner(props: dict[str, Any]) -> Any:
    """Return a context in which one connection of the database's owner is open."""
    with Neon() as neon:
        uri = neon.uri(address(props), pooled=False)
    return connected(uri)
