"""Pull the plug while a migration is rehearsed or runs: recovery and an up converge, and it is applied exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import pytest

from environments.migrations.session import APPLICATION
from tests.e2e.by_hand import branches
from tests.e2e.conftest import World
from tests.e2e.migrating import LIVE, STANDARD, add_migration, install_packages
from tests.faults.test_kill import end, start, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CREATED = 201
SLOW = """INSERT INTO "products" (sku, name, price) VALUES ('{tag}', 'once', 1);
--> statement-breakpoint
SELECT pg_sleep(1.5);"""


@pytest.fixture(scope="module", autouse=True)
def migrated(world: World) -> None:
    """Production under Standard Migration, with nothing pending."""
    install_packages(world)
    world.edit("prod", strategy=STANDARD, safety=LIVE)
    world.up("prod")


def is_rehearsed(world: World) -> bool:
    return any(name.startswith("rehearsal-of-") for name in branches(world))


def is_running(world: World) -> bool:
    running = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{APPLICATION}'"  # noqa: S608
    return world.sql("prod", "prod-v1", running) != [(0,)]


@pytest.mark.parametrize(
    ("name", "moment", "everything"),
    [
        ("killed_in_rehearsal", is_rehearsed, True),
        ("killed", is_running, True),
        ("orphaned", is_running, False),
    ],
)
def test_a_migration_that_was_killed_is_applied_once_and_leaves_its_restore_point_alone(
    world: World, name: str, moment: Callable[[World], bool], *, everything: bool
) -> None:
    domain = world.outputs("prod")["domain"]
    number = len(list((world.folder / "app" / "drizzle").glob("*.sql")))
    tag = f"{number:04}_{name}"
    add_migration(world, tag, SLOW.format(tag=tag))
    kill_when(world, moment, everything=everything)

    assert world.post("/orders", domain) == CREATED, "whatever was killed, the app answers"
    world.environments("recover", "-s", "prod")
    world.up("prod")

    assert world.sql("prod", "prod-v1", f"SELECT count(*) FROM products WHERE sku = '{tag}'") == [(1,)]  # noqa: S608
    noted = world.sql("prod", "prod-v1", "SELECT count(*), count(DISTINCT hash) FROM drizzle.__drizzle_migrations")
    assert noted == [(number + 1,) * 2]
    assert not is_running(world)
    there = branches(world)
    assert not [branch for branch in there if branch.startswith("rehearsal-of-")]
    assert [branch for branch in there if branch.startswith(f"before-{tag}")] == [f"before-{tag}"]
    assert there[f"before-{tag}"] == world.resource("prod", "Migration::served")["outputs"]["restorePoint"]["id"]
    world.up("prod", "--expect-no-changes")


def kill_when(world: World, moment: Callable[[World], bool], *, everything: bool) -> None:
    """Start an up and kill it at a moment of the migration; the plugins end with it, or a second later."""
    engine = start(world)
    wait_for(engine, "environments:index:Migration")
    deadline = time.monotonic() + 60
    while not moment(world):
        assert engine.poll() is None, "the moment never came"
        assert time.monotonic() < deadline
    plugins = psutil.Process(engine.pid).children(recursive=True)
    engine.kill()
    if everything:
        end(plugins)
    engine.communicate()
    time.sleep(1)
    end(plugins)
