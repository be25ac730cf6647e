"""What a user does while a fault comes: a world to begin with, an edit, commands; and what must be so in the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.by_hand import branches
from tests.e2e.conftest import AS_PRODUCTION, DEVS, FROM_DEV, World
from tests.e2e.existing import Existing
from tests.e2e.migrating import LIVE, STANDARD, add_migration, columns, install_packages
from tests.faults.matrix.snapshots import Site, Snapshots

PULUMI_UP = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--color=never", "-s")
OURS = (sys.executable, "-m", "environments")
MIGRATION = "0002_matrix"
_V1 = {"branch": "prod-v1", "rows": "any"}


@dataclass(frozen=True)
class Scenario:
    """`base` is the name of another's world, or of a common one. `goal` says what isn't as it must be, or nothing."""

    name: str
    base: str
    prepare: Callable[[World], Site | None]
    goal: Callable[[World], str]
    stack: str = "prod"
    adopts: bool = False

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """What a user types."""
        up = (*PULUMI_UP, self.stack)
        return ((*OURS, "adopt", "-s", self.stack), up) if self.adopts else (up,)


def built(snapshots: Snapshots, name: str) -> None:
    """Have the snapshot of a scenario, or of a common world, made of the one that it begins with."""
    if snapshots.has(name):
        return
    if name == "empty":
        world = snapshots.create()
        world.select("dev")
        snapshots.keep(name, Site())
        return
    base, prepare = COMMON.get(name) or next((each.base, each.prepare) for each in SCENARIOS if each.name == name)
    built(snapshots, base)
    world, site = snapshots.restore(base)
    snapshots.keep(name, prepare(world) or site)


def _dev(world: World) -> Site:
    world.bring_up_dev()
    world.share_key()
    world.select("prod")
    projects = world.outputs("dev")["projects"]
    return Site(projects["neon"], projects["vercel"])


def _prod(world: World) -> Site:
    world.up("prod")
    outputs = world.outputs("prod")
    return Site(outputs["projects"]["neon"], outputs["projects"]["vercel"], outputs["domain"])


def _promoted(world: World) -> None:
    _promotion(world)
    world.up("prod")


def _nothing(_: World) -> None:
    """Begin with the base as it is."""


def _promotion(world: World) -> None:
    branches = world.setting("prod", "branches") | {"prod-v2": FROM_DEV}
    world.edit("prod", branches=branches, serve="prod-v2", accept=_V1)


def _rollback(world: World) -> None:
    world.edit("prod", serve="prod-v1", accept={"branch": "prod-v2", "rows": "any"})


def _swap(world: World) -> None:
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}})
    world.up("dev")
    world.edit("prod", strategy={"kind": "pointer-swap"}, serve=DEVS, accept=_V1)


def _retire(world: World) -> None:
    world.edit("prod", branches={"prod-v1": {**FROM_DEV, "retire": True}, "prod-v2": FROM_DEV}, accept=None)


def _drop(world: World) -> None:
    _retire(world)
    world.up("prod")
    world.edit("prod", branches={"prod-v2": FROM_DEV})


def _migration(world: World) -> None:
    install_packages(world)
    world.edit("prod", strategy=STANDARD, safety=LIVE)
    world.up("prod")
    add_migration(world, MIGRATION, 'ALTER TABLE "orders" ADD COLUMN "matrix" text;')


def _adoption(world: World) -> Site:
    hand = Existing.made(world.cloud, "adopted")
    for script in ("migrate", "seed"):
        folder = str(world.folder / "app")
        if not (world.folder / "app" / "node_modules").exists():
            install_packages(world)
        world.run("npm", "run", "--silent", script, env={"DATABASE_URL": hand.url("main")}, cwd=folder)
    hand.variable("DATABASE_URL", hand.url("main"), "production")
    hand.variable("DATABASE_URL_UNPOOLED", hand.url("main"), "production", type="sensitive")
    hand.deploy()
    compute = hand.compute("main")
    size = {"min_cu": compute["autoscaling_limit_min_cu"], "max_cu": compute["autoscaling_limit_max_cu"]}
    main: dict[str, Any] = {"main": {"adopt": True, "logins": "keep"}}
    projects = {"neon": hand.neon, "vercel": hand.vercel}
    world.edit("prod", project=projects, branches=main, serve="main", compute=size)
    world.select("prod")
    return Site(hand.neon, hand.vercel, hand.domain)


def _serves(branch: str) -> Callable[[World], str]:
    def goal(world: World) -> str:
        serving = world.serving()["branch"]
        return "" if serving == branch else f"{serving} serves, not {branch}"

    return goal


def _dev_is_there(world: World) -> str:
    return "" if world.outputs("dev")["branches"]["dev"] == branches(world).get("dev") else "dev is not as exported"


def _serves_dev(world: World) -> str:
    serving, wanted = world.serving()["branch"], world.outputs("dev")["branches"]["dev"]
    return "" if serving == wanted else f"{serving} serves, not dev's {wanted}"


def _is_let_go(world: World) -> str:
    return "" if "prod-v1" in branches(world) else "prod-v1 is gone after the first of two edits"


def _is_gone(world: World) -> str:
    found = sorted(branches(world))
    return "" if found == ["dev", "main", "prod-v2"] else f"the branches are {found}"


def _is_migrated(world: World) -> str:
    found = world.sql("prod", "prod-v1", columns("orders", "matrix"))
    noted = world.sql("prod", "prod-v1", "SELECT count(*), count(DISTINCT hash) FROM drizzle.__drizzle_migrations")
    return "" if (found, noted) == ([(1,)], [(3, 3)]) else f"columns {found}, noted {noted}"


COMMON: dict[str, tuple[str, Callable[[World], Site | None]]] = {
    "dev": ("empty", _dev),
    "prod": ("dev", _prod),
    "promoted": ("prod", _promoted),
}
"""Worlds to begin with, each made of the one before."""

SCENARIOS = (
    Scenario("promotion", "prod", _promotion, _serves("prod-v2")),
    Scenario("rollback", "promoted", _rollback, _serves("prod-v1")),
    Scenario("pointer swap", "prod", _swap, _serves_dev),
    Scenario("retirement", "promoted", _retire, _is_let_go),
    Scenario("deletion", "promoted", _drop, _is_gone),
    Scenario("adoption", "empty", _adoption, _serves("main"), adopts=True),
    Scenario("first up of dev", "empty", _nothing, _dev_is_there, stack="dev"),
    Scenario("first up of prod", "dev", _nothing, _serves("prod-v1")),
    Scenario("migration", "prod", _migration, _is_migrated),
)
