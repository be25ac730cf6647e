"""Pull the plug while rows are carried over to another Neon project: the documented recovery converges."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.upgrades import CREATED, Upgraded, newer, old
from tests.faults.test_kill import kill_at

__all__ = ["newer", "old"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize(("step", "after"), [("Transfer", 0.4), ("Cutover", 0.3), ("Cutover", 0.8)])
def test_an_upgrade_that_was_killed_converges_by_the_documented_recovery(
    old: Upgraded, newer: str, step: str, after: float
) -> None:
    name, domain = f"killed-{step.lower()}-{round(1000 * after)}", old.outputs("prod")["domain"]
    before = old.serving()
    old.edit("prod", branches=old.setting("prod", "branches"), serve="prod-v1")
    if before["branch"] != "prod-v1":
        old.edit("prod", accept={"branch": before["branch"], "rows": "any"})
        old.up("prod")
    old.edit("prod", accept=None)
    old.copy_into(newer, name, "prod-v1")

    kill_at(old, f"environments:{step}", everything=True, after=after)
    assert old.health(domain)["ok"], "whatever was killed, the app answers"
    assert "Recovered" in old.run(sys.executable, "-m", "recovery", "-s", "prod")
    old.up("prod")

    assert old.serving()["branch"] == name
    assert old.serving()["rows"]["orders"] == old.orders("prod", "prod-v1"), "no row is left behind"
    assert old.post("/orders", domain) == CREATED
    old.up("prod", "--expect-no-changes")
