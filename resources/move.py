"""Moving the pointer, step by step, each step with its undo.

The branch that is to serve takes writes again, the staged deployment is probed, the writes to the branch that is left
are stopped, what would stay behind on it is counted, the production domains move without a build, and the domain is
looked at as a visitor would. A failure puts back what was: production never points to what didn't answer.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pulumi

from resources.departure import Allowance, LeftBehindError, address, rows_of
from resources.fence import is_fenced, lift_fence, raise_fence
from resources.neon_api import Neon
from resources.postgres import connected
from resources.probe import Health, UnhealthyError, probe
from resources.rotation import close_login, drain, existing
from resources.vercel_api import Vercel


def cut_over(props: dict[str, Any], olds: dict[str, Any] | None) -> dict[str, Any]:
    """Point as `props` say and return the cutover's outputs; `olds` are the earlier ones, None for the first time.

    Raises what the failing step raised, after everything that was done before it is undone.
    """
    guard, olds = props.get("guard"), olds or {}
    leaving = olds if olds and olds["branch"] != props["branch"] and guard else None
    domain = _move(props, leaving) if props["deployment"] else ""
    unfenced = leaving if guard and not guard["fence_first"] else (olds.get("unfinished") or {}).get("unfenced")
    served = {
        "branch": props["served_name"],
        "id": props["branch"],
        "deployment": props["deployment"],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    entry = served | {"baseline": props["baseline"], "credentials": props["fingerprint"]}
    return props | {
        "served": served,
        "domain": domain,
        "history": (olds.get("history") or {}) | {props["branch"]: entry},
        "unfinished": _finish(props, leaving, unfenced),
    }


def _move(props: dict[str, Any], leaving: dict[str, Any] | None) -> str:
    """Move the production domains to the deployment; return the domain at which that was checked."""
    project, deployment = props["vercel"], props["deployment"]
    health = Health(props["health_path"], int(props["health_status"]), props["branch"])
    with Vercel() as vercel, ExitStack() as undo:
        domain = vercel.domain(project)
        before = vercel.serving(domain)
        if _open_for_writes(props):
            undo.callback(_fence, props)
        if before != deployment:
            _probe(vercel, props["deployment_url"], health, deployment)
        began = time.monotonic()
        if leaving and props["guard"]["fence_first"]:
            undo.callback(_lift, leaving)
            _close(leaving, props)
        if before != deployment:
            if before:
                undo.callback(vercel.promote, project, before, domain)
            vercel.promote(project, deployment, domain)
        pause = time.monotonic() - began
        _probe(vercel, domain, health, deployment)
        undo.pop_all()
    if leaving and props["guard"]["fence_first"]:
        was, now = leaving["served_name"], props["served_name"]
        pulumi.log.info(f"{now} serves; writes paused for {pause:.2f} s, reads for none. {was} is read-only now.")
    return domain


def _probe(vercel: Vercel, host: str, health: Health, deployment: str) -> None:
    try:
        probe(host, health)
    except UnhealthyError as error:
        log = vercel.log(deployment)
        raise UnhealthyError(f"{error}. Nothing of production was changed.{log}") from None


def _finish(
    props: dict[str, Any], left: dict[str, Any] | None, unfenced: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Do what comes after the move, before the compute that was left shrinks.

    That is to close the last generation's login, to let what is under way on the branch that was left come to its end,
    and to raise a fence that waited for the move.

    The pointer has moved, whatever fails here: a failure is a warning, and what is returned is for the next update.
    """
    try:
        _close_other_login(props)
        if left:
            _drain(left)
        if unfenced:
            _fence(unfenced)
            was = unfenced["served_name"]
            pulumi.log.info(
                f"{props['served_name']} serves, no pause. {was} is read-only now and holds {rows_of(unfenced, props)}."
            )
    except Exception as error:  # noqa: BLE001 - see above
        pulumi.log.warn(f"{props['served_name']} serves, but the move is not finished: {error}. Run pulumi up again.")
        return {"unfenced": unfenced}
    return None


def _close(leaving: dict[str, Any], props: dict[str, Any]) -> None:
    """Stop the writes to the branch that is left, and count exactly what stays on it."""
    _fence(leaving)
    if refusal := Allowance.of(props["guard"]).refusal(rows_of(leaving, props), leaving["served_name"]):
        raise LeftBehindError(f"{refusal}. The pointer stays on {leaving['served_name']}, which takes writes again")


def _fence(props: dict[str, Any]) -> None:
    with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
        raise_fence(connection, existing(connection, props["roles"]))


def _drain(props: dict[str, Any]) -> None:
    with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
        drain(connection, props["roles"])


def _open_for_writes(props: dict[str, Any]) -> bool:
    """Lift a fence from when the branch was left before; return whether there was one."""
    if not props.get("guard"):
        return False
    with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
        fenced = is_fenced(connection, props["role"])
        lift_fence(connection, [props["role"]], props["database"], props["owner"])
    return fenced


def _lift(props: dict[str, Any]) -> None:
    with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
        lift_fence(connection, [props["role"]], props["database"], props["owner"])


def _close_other_login(props: dict[str, Any]) -> None:
    with Neon() as neon, connected(neon.uri(address(props), pooled=False)) as connection:
        for role in props["roles"]:
            if role != props["role"]:
                close_login(connection, role)
