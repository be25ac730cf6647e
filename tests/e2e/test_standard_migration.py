"""Standard Migration from end to end: the pointer stays, the schema changes, and one edit goes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloud import ROOT
from localcloud.program import CommandError
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

CREATED = 201
STANDARD = {"kind": "standard-migration", "migrations": "app/drizzle"}
LIVE = {"phase": "live"}


@pytest.fixture(scope="module", autouse=True)
def installed(bare: World) -> None:
    """The app's packages, drizzle-kit among them, as `npm ci` installs them."""
    (bare.folder / "app" / "node_modules").symlink_to(ROOT / "app" / "node_modules")


def flat(text: object) -> str:
    return " ".join(str(text).split())


def refused(world: World) -> str:
    with pytest.raises(CommandError) as error:
        world.preview("prod")
    return flat(error.value)


def add_migration(world: World, tag: str, statement: str) -> Path:
    """Add a migration as `drizzle-kit generate --custom` does; return its file."""
    folder = world.folder / "app" / "drizzle"
    journal = folder / "meta" / "_journal.json"
    found: dict[str, Any] = json.loads(journal.read_text())
    last = found["entries"][-1]
    entry = {"idx": last["idx"] + 1, "version": last["version"], "when": last["when"] + 60_000, "tag": tag}
    found["entries"].append(entry | {"breakpoints": True})
    journal.write_text(json.dumps(found, indent=2))
    file = folder / f"{tag}.sql"
    file.write_text(statement)
    return file


def take_out(world: World, file: Path) -> None:
    """Take the newest migration, `file`, out of the folder again."""
    journal = world.folder / "app" / "drizzle" / "meta" / "_journal.json"
    found: dict[str, Any] = json.loads(journal.read_text())
    assert found["entries"].pop()["tag"] == file.stem
    journal.write_text(json.dumps(found, indent=2))
    file.unlink()


def test_a_change_to_standard_migration_runs_nothing_while_nothing_is_pending(world: World) -> None:
    world.edit("prod", strategy=STANDARD, safety=LIVE)
    world.up("prod")
    world.up("prod", "--expect-no-changes")


def test_the_preview_shows_the_sql_and_the_run_leaves_rows_and_pointer_where_they_are(world: World) -> None:
    domain = world.outputs("prod")["domain"]
    assert world.post("/orders", domain) == CREATED
    before, deployment = world.serving(), world.serving_deployment()
    add_migration(world, "0002_notes", 'ALTER TABLE "orders" ADD COLUMN "note" text;')
    said = world.preview("prod")
    assert "0002_notes" in said
    assert 'ALTER TABLE "orders" ADD COLUMN "note" text' in said
    assert world.sql("prod", "prod-v1", columns("orders", "note")) == [(0,)], "a preview runs nothing"

    said = flat(world.up("prod"))
    assert "rehearsed" in said
    assert "0002_notes applied in" in said
    assert world.sql("prod", "prod-v1", columns("orders", "note")) == [(1,)]
    assert world.serving()["rows"] == before["rows"]
    assert world.serving()["branch"] == before["branch"]
    assert world.post("/orders", domain) == CREATED
    assert world.serving_deployment() != deployment, "the app's files, and so its migrations, changed"
    world.up("prod", "--expect-no-changes")


def test_the_apps_role_may_use_what_a_migration_made(world: World) -> None:
    add_migration(world, "0003_reviews", 'CREATE TABLE "reviews" ("id" serial PRIMARY KEY, "text" text NOT NULL);')
    world.up("prod")
    may = "SELECT has_table_privilege('app_prod_1', 'reviews', '{}')"
    granted = [world.sql("prod", "prod-v1", may.format(right))[0][0] for right in ("INSERT", "DELETE", "TRUNCATE")]
    assert granted == [True, True, False]


def test_a_migration_that_loses_data_is_refused_until_the_edit_names_it(world: World) -> None:
    file = add_migration(world, "0004_drop", 'ALTER TABLE "orders" DROP COLUMN "note";')
    said = refused(world)
    assert "0004_drop" in said
    assert "allow_data_loss" in said
    world.edit("prod", strategy=STANDARD | {"allow_data_loss": ["0004_drop"]})
    world.preview("prod")
    take_out(world, file)
    world.edit("prod", strategy=STANDARD)


def test_a_migration_that_fails_on_productions_rows_fails_in_the_rehearsal_and_changes_nothing(world: World) -> None:
    text = 'ALTER TABLE "orders" ADD CONSTRAINT "noted" CHECK ("note" IS NOT NULL) NOT VALID;--> statement-breakpoint\n'
    file = add_migration(world, "0004_noted", f'{text}ALTER TABLE "orders" VALIDATE CONSTRAINT "noted";')
    with pytest.raises(CommandError) as failed:
        world.up("prod")
    said = flat(failed.value)
    assert "the rehearsal on a copy of prod-v1 failed, prod-v1 itself is untouched" in said
    assert "23514" in said
    assert "0004_noted" in said
    assert world.serving()["ok"]
    take_out(world, file)
    world.up("prod", "--expect-no-changes")


def test_the_way_back_is_one_edit_and_counts_what_was_written_since(world: World) -> None:
    file = add_migration(world, "0004_paid", 'ALTER TABLE "orders" ADD COLUMN "paid" boolean DEFAULT false NOT NULL;')
    world.up("prod")
    outputs = world.outputs("prod")
    assert world.post("/orders", outputs["domain"]) == CREATED
    restored = json.loads(outputs["way_back"].partition("at: ")[2].partition("}")[0])
    take_out(world, file)
    branches = world.setting("prod", "branches") | {"restored": {"from": {"branch": "prod-v1"}, "at": restored}}
    world.edit("prod", branches=branches, serve="restored")
    assert "2 rows (order_items 1, orders 1) were written to prod-v1" in refused(world)
    world.edit("prod", accept={"branch": "prod-v1", "rows": 2})
    before = world.serving()["rows"]["orders"]
    world.up("prod")
    assert world.serving()["branch"] == "restored"
    assert world.serving()["rows"]["orders"] == before - 1
    assert world.sql("prod", "restored", columns("orders", "paid")) == [(0,)]
    assert world.sql("prod", "restored", columns("orders", "note")) == [(1,)]
    world.up("prod", "--expect-no-changes")


def columns(table: str, column: str) -> str:
    """Return the query that counts the columns of that name."""
    return f"SELECT count(*) FROM information_schema.columns WHERE table_name = '{table}' AND column_name = '{column}'"  # noqa: S608
