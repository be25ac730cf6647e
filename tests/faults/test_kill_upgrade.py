"""Pull the plug while rows are carried over to another Neon project: the documented recovery converges."""

from __future__ import annotations

import pytest

from tests.e2e.upgrades import CREATED, Upgraded, newer, old
from tests.faults.test_kill import kill_at
from tests.localcloud.neon.hosting import wait_until

__all__ = ["newer", "old"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


EMPTY = "SELECT to_regclass('orders') IS NULL"


@pytest.mark.parametrize(("step", "after"), [("Transfer", 0.4), ("Cutover", None), ("Cutover", 0.8)])
def test_an_upgrade_that_was_killed_converges_by_the_documented_recovery(
    old: Upgraded, newer: str, step: str, after: float | None
) -> None:
    """Kill it some seconds after a step began, or while the copy is empty, to be filled once more behind the fence."""
    name, domain = f"killed-{step.lower()}-{after or 'emptied'}".replace(".", "-"), old.outputs("prod")["domain"]
    before = old.serving()
    old.edit("prod", branches=old.setting("prod", "branches"), serve="prod-v1")
    if before["branch"] != "prod-v1":
        old.edit("prod", accept={"branch": before["branch"], "rows": "any"})
        old.up("prod")
    old.edit("prod", accept=None)
    old.copy_into(newer, name, "prod-v1")

    def is_emptied() -> None:
        wait_until(lambda: old.ask(newer, name, EMPTY) == [(True,)], seconds=60)

    kill_at(old, f"environments:index:{step}", everything=True, after=after or is_emptied)
    if not after:
        assert old.ask(newer, name, EMPTY) == [(True,)], "it has no rows now"
    assert old.health(domain)["ok"], "whatever was killed, the app answers"
    assert "Recovered" in old.environments("recover", "-s", "prod")
    old.up("prod")

    assert old.serving()["branch"] == name
    assert old.serving()["rows"]["orders"] == old.orders("prod", "prod-v1"), "no row is left behind"
    assert old.post("/orders", domain) == CREATED
    old.up("prod", "--expect-no-changes")
