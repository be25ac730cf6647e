"""A branch that another stack serves from neither shrinks nor goes, whichever stack it belongs to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from environments.branches import shareable
from environments.branches.source import WantedBranch
from environments.clients.neon import Address, Neon
from environments.clients.postgres import NotReadyError
from environments.database.marker import Claim
from environments.ids import BranchId, BranchKey, DatabaseName, EndpointId, NeonProject, RoleName, StackName
from tests.branches.stand_in import StandIn

PROJECT, DATABASE, OWNER = NeonProject("p"), DatabaseName("neondb"), RoleName("neondb_owner")
WAS = WantedBranch(name="prod-v1", min_cu=1, max_cu=4, suspend_seconds=-1, protected=False, deletion="retain")
RESTING = replace(WAS, min_cu=0.25, max_cu=0.25, suspend_seconds=300)
SHOP = Claim(StackName("shop"), min_cu=1, max_cu=4, suspend_seconds=-1, protected=False)


@pytest.fixture(autouse=True)
def there(neon: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    neon.branches = {"br-1": {"name": "prod-v1"}}
    address = Address(PROJECT, BranchId("br-1"), EndpointId("ep-1"), DATABASE, OWNER)
    monkeypatch.setattr(Neon, "address_of", lambda *_: address)


def refusal(now: WantedBranch, *, shareable_: bool) -> str:
    given: dict[str, Any] = {"project": PROJECT, "database": DATABASE, "owner": OWNER}
    return shareable.sharing_refusal(BranchKey("prod-v1"), WAS, now, shareable=shareable_, **given)


@pytest.mark.parametrize("shareable_", [True, False], ids=["dev's", "production's"])
def test_a_claimed_branch_keeps_its_size_when_its_own_pointer_moves_on(
    monkeypatch: pytest.MonkeyPatch, *, shareable_: bool
) -> None:
    monkeypatch.setattr(shareable, "claims_on", lambda *_: [SHOP])
    said = refusal(RESTING, shareable_=shareable_)
    assert said.startswith("shop serves from prod-v1, and this would leave it with min_cu 0.25, needed at least 1")
    assert "or have shop serve another branch first" in said
    monkeypatch.setattr(shareable, "claims_on", lambda *_: [])
    assert refusal(RESTING, shareable_=shareable_) == ""


def test_production_leaves_a_branch_that_can_not_be_asked_and_dev_does_not_shrink_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def out(*_: object) -> list[Claim]:
        raise NotReadyError("no connection")

    monkeypatch.setattr(shareable, "claims_on", out)
    assert refusal(RESTING, shareable_=False) == ""
    assert "can't be asked whether another stack serves from it" in refusal(RESTING, shareable_=True)
    assert "can't be asked" in refusal(replace(WAS, deletion="delete"), shareable_=False)
