"""The Neon of the tests' own, for the tests of what a cutover asks of a database; and stand-ins for a whole move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from environments.clients.postgres import Connection
from environments.cutover import aftermath, compare_rights, promotion
from environments.cutover.guard import Missing
from environments.cutover.served import ServedBranch
from environments.cutover.sessions import Sessions
from environments.database.marker import BranchMarker
from environments.ids import BranchId, Transaction
from tests.cutover.stand_ins import Owner, World, orders
from tests.resources.conftest import database, host, owner

__all__ = ["database", "host", "owner"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """What a move meets, in place of the clouds; nothing is waited for."""
    world = World()
    for name in ("_LOOK_SECONDS", "_LEAD_BACK_SECONDS", "_STAYED_SECONDS", "_PAUSE"):
        monkeypatch.setattr(promotion, name, 0.01)

    @contextmanager
    def owner_of(to: ServedBranch) -> Iterator[Owner]:
        if error := world.fails.get(f"connect {to.key}"):
            raise error
        yield Owner(to)

    @contextmanager
    def sessions_on(to: ServedBranch) -> Iterator[Sessions]:
        with owner_of(to) as owner:
            yield Sessions("", cast("Connection", owner), ())

    def deed(name: str, answer: Any = None) -> Callable[..., Any]:
        def done(owner: Owner, *_: Any) -> Any:
            world.do(f"{name} {owner.branch.key}")
            return answer

        return done

    def marker(_owner: Owner, _role: str, mark: BranchMarker) -> None:
        world.do(f"mark {'claimed' if mark.claim else mark.served_by or 'as it was'}")

    for module in (promotion, aftermath):
        monkeypatch.setattr(module, "owner_of", owner_of)
        monkeypatch.setattr(module, "close_for_writes", deed("close"))
        monkeypatch.setattr(module, "read_marker", lambda *_: BranchMarker(BranchId("br"), Transaction("7")))
        monkeypatch.setattr(module, "write_marker", marker)
    monkeypatch.setattr(aftermath, "rows_of", lambda *_, **__: orders(world.behind))
    monkeypatch.setattr(promotion, "rows_in", lambda *_: orders(world.behind))
    monkeypatch.setattr(promotion, "missing_in", lambda *_: Missing(None, None))
    monkeypatch.setattr(promotion, "writes_waiting", world.writes_waiting)
    monkeypatch.setattr(promotion, "sessions_on", sessions_on)
    monkeypatch.setattr(promotion, "next_transaction", lambda _owner: world.later)
    monkeypatch.setattr("environments.cutover.writes.owner_of", owner_of)
    monkeypatch.setattr("environments.cutover.move.owner_of", owner_of)
    monkeypatch.setattr("environments.cutover.move.Vercel", lambda: world)
    monkeypatch.setattr(promotion, "open_for_writes", deed("open"))
    monkeypatch.setattr(promotion, "baseline", lambda _owner: "900")
    monkeypatch.setattr(promotion, "count_rows", lambda *_: orders(world.written))
    monkeypatch.setattr(promotion, "probe", world.probe)
    monkeypatch.setattr(promotion, "watching", world.watching)
    monkeypatch.setattr(promotion, "probe_proven", world.probe_proven)
    monkeypatch.setattr(compare_rights, "rights_compared", world.rights_compared)
    monkeypatch.setattr(promotion, "carry_over", world.carry_over)
    monkeypatch.setattr(promotion, "was_cut_short", lambda _target: False)
    monkeypatch.setattr(aftermath, "close_login", lambda owner, role: world.do(f"no login {role} {owner.branch.key}"))
    monkeypatch.setattr(aftermath, "drain", lambda owner, _roles: world.do(f"drain {owner.branch.key}"))
    monkeypatch.setattr(aftermath, "drop_claim", lambda owner, *_: world.do(f"unclaim {owner.branch.key}"))
    return world
