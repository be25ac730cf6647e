"""The way back that keeps the host: Neon's restore in place, by hand, in the order that docs/migrations.md gives."""

from __future__ import annotations

import time

import pytest

from tests.e2e.by_hand import branches, in_neon
from tests.e2e.conftest import World
from tests.e2e.migrating import LIVE, STANDARD, add_migration, columns, flat, install_packages, take_out
from tests.e2e.visitors import Writers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CREATED = 201


def test_a_restore_in_place_keeps_host_and_login_and_what_was_there_stays_on_the_preserved_branch(world: World) -> None:
    install_packages(world)
    world.edit("prod", strategy=STANDARD, safety=LIVE)
    file = add_migration(world, "0002_paid", 'ALTER TABLE "orders" ADD COLUMN "paid" boolean DEFAULT false NOT NULL;')
    world.up("prod")
    point = world.resource("prod", "environments:index:Migration::served")["outputs"]["restorePoint"]
    served, url = branches(world)["prod-v1"], world.app_url("prod", "prod-v1")
    domain = world.outputs("prod")["domain"]
    assert world.post("/orders", domain) == CREATED

    writers = Writers(world.cloud.vercel_edge_url, domain, pause=0.05)
    with writers.visiting():
        time.sleep(1)
        began = time.monotonic()
        body = {"source_branch_id": served, "source_lsn": point["lsn"], "preserve_under_name": "prod-v1-before-restore"}
        in_neon(world, "POST", f"/branches/{served}/restore", body)
        took = time.monotonic() - began
        time.sleep(2)
    told = dict(writers.answers)
    print(f"\nrestored in {took:.1f} s under load: {told}, slowest write {max(writers.seconds):.1f} s")

    assert branches(world)["prod-v1"] == served
    assert world.post("/orders", domain) == CREATED, "the login came back with the rows"
    assert world.sql("prod", "prod-v1", columns("orders", "paid")) == [(0,)]

    world.pulumi("refresh", "-s", "prod", "--yes")
    assert "0002_paid" in world.preview("prod"), "what was taken back is pending as long as its file is there"
    take_out(world, file)
    assert "0002_paid" not in flat(world.preview("prod"))
    world.up("prod")
    assert world.app_url("prod", "prod-v1") == url
    assert world.post("/orders", domain) == CREATED
    world.up("prod", "--expect-no-changes")
