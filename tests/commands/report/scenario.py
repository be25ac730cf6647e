"""Every kind of preview that a reviewer may meet, made one after the other on the local cloud by real edits."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from environments.review.telling import VARIABLE
from tests.e2e.conftest import AS_PRODUCTION, DEVS, FROM_DEV, World
from tests.e2e.migrating import STANDARD, add_migration, take_out


@dataclass(frozen=True)
class Recorded:
    """What `pulumi preview --json` printed in one case, its exit code, and the file of the review that it wrote.

    `terminal` is what a user reads of the same preview without `--json`; only some cases have it.
    """

    case: str
    stack: str
    exit_code: int
    text: str
    file: Path
    terminal: str = ""


def previews(world: World) -> Iterator[Recorded]:
    """Live through a stack's life in a world with nothing brought up, a preview at each turn."""
    world.select("dev")
    yield record(world, "dev-made", stack="dev")
    world.select("prod")
    yield record(world, "refused-without-dev")
    world.bring_up_dev()
    yield record(world, "first")
    world.up("prod")
    yield record(world, "nothing-to-do")
    yield record(world, "refused-token", env={"NEON_API_KEY": ""})
    yield from _promotion(world)
    yield from _swap(world)
    yield from _rollback(world)
    program = world.folder / "__main__.py"
    program.write_text(program.read_text() + '\nraise ValueError("postgresql://owner:made-up-word@host/db is off")\n')
    yield record(world, "crashed")


def _promotion(world: World) -> Iterator[Recorded]:
    first = world.setting("prod", "branches")
    compute = world.setting("prod", "compute")
    world.edit("prod", branches=first | {"prod-v2": FROM_DEV}, serve="prod-v2", compute={"min_cu": 1, "max_cu": 2})
    yield replace(record(world, "promotion"), terminal=read(world))
    world.edit("prod", compute=compute)
    world.post("/orders", world.outputs("prod")["domain"])
    yield record(world, "refused-rows")
    world.edit("prod", accept={"branch": "prod-v1", "rows": 2})
    yield record(world, "promotion-accepted")
    world.up("prod")


def _swap(world: World) -> Iterator[Recorded]:
    first = world.setting("prod", "branches")
    world.edit("prod", serve=DEVS)
    yield record(world, "refused-swap")
    world.edit("prod", strategy={"kind": "pointer-swap"})
    yield record(world, "refused-small")
    world.edit("dev", branches={"dev": {"compute": AS_PRODUCTION}})
    world.up("dev")
    yield record(world, "swap")
    world.up("prod")
    world.edit("dev", branches={"dev": {}})
    yield record(world, "refused-shrink", stack="dev")
    world.edit("prod", serve="prod-v2")
    yield record(world, "swap-back")
    world.up("prod")
    world.edit("prod", strategy={"kind": "standard-migration"}, branches=first | {"prod-v3": FROM_DEV}, serve="prod-v3")
    yield record(world, "refused-move")
    world.edit("prod", branches=first | {"prod-v1": FROM_DEV | {"retire": True}}, serve="prod-v2")
    world.edit("prod", strategy={"kind": "clone-and-promote"})
    yield record(world, "retire")
    world.up("prod")
    world.edit("prod", branches={"prod-v2": FROM_DEV})
    yield record(world, "drop")
    world.edit("prod", branches=first)
    world.up("prod")


def _rollback(world: World) -> Iterator[Recorded]:
    both = world.setting("prod", "branches")
    world.edit("prod", serve="prod-v1")
    yield record(world, "rollback")
    world.edit("prod", safety={"phase": "live"})
    yield record(world, "refused-live")
    world.edit("prod", safety=None, serve="prod-v9", compute={"min_cu": 3, "max_cu": 2})
    yield record(world, "refused-settings")
    world.edit("prod", serve="prod-v2", compute={"min_cu": 1, "max_cu": 4, "suspend": "never"})
    world.edit("prod", branches={"prod-v2": FROM_DEV}, accept=None)
    yield record(world, "refused-drop")
    world.edit("prod", branches=both)
    handler = world.folder / "app" / "api" / "index.js"
    handler.write_text(handler.read_text() + "\n// another look\n")
    yield record(world, "redeploy")
    yield from _migration(world)


def _migration(world: World) -> Iterator[Recorded]:
    """Leave files and settings as they were."""
    strategy = world.setting("prod", "strategy")
    world.edit("prod", strategy=STANDARD)
    file = add_migration(world, "0002_reference", 'ALTER TABLE "orders" ADD COLUMN "reference" text;\n')
    yield replace(record(world, "migration"), terminal=read(world))
    take_out(world, file)
    file = add_migration(world, "0002_contract", 'ALTER TABLE "orders" DROP COLUMN "status";\n')
    yield record(world, "refused-migration")
    world.edit("prod", strategy=STANDARD | {"allow_data_loss": ["0002_contract"]})
    yield record(world, "migration-accepted")
    take_out(world, file)
    world.edit("prod", strategy=strategy)


def record(world: World, case: str, *, stack: str = "prod", env: dict[str, str] | None = None) -> Recorded:
    """Run one preview, whether or not it is refused."""
    name = f"../{case}.jsonl"  # as a user names it: the program and the plugin run in the program's folder
    done = _preview(world, "--json", "-s", stack, env={VARIABLE: name} | (env or {}))
    return Recorded(case, stack, done.returncode, done.stdout, world.folder / name)


def read(world: World) -> str:
    """Return what a user reads of production's preview, who asks for no file of the review."""
    return _preview(world, "-s", "prod", env={}).stdout


def _preview(world: World, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["pulumi", "preview", *arguments, "--non-interactive", "--color=never"],
        cwd=world.folder,
        env=world.environment | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
