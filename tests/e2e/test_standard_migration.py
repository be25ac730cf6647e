"""Standard Migration from end to end: the pointer stays, the schema changes, and one edit goes back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from localcloud.program import CommandError
from tests.e2e.by_hand import in_neon
from tests.e2e.conftest import World
from tests.e2e.migrating import LIVE, STANDARD, add_migration, columns, flat, install_packages, take_out

pytestmark = pytest.mark.e2e

CREATED = 201
ROWS_SINCE = {"orders 1 (its columns changed)", "order_items 1", "drizzle.__drizzle_migrations 1"}
"""One visitor's order, and what drizzle noted of its own."""


@pytest.fixture(scope="module", autouse=True)
def installed(bare: World) -> None:
    """The app's packages, drizzle-kit among them, as `npm ci` installs them."""
    install_packages(bare)


def refused(world: World) -> str:
    with pytest.raises(CommandError) as error:
        world.preview("prod")
    return flat(error.value)


def test_the_schema_changes_in_place_and_each_migration_has_a_way_back(world: World) -> None:
    a_change_to_standard_migration_runs_nothing_while_nothing_is_pending(world)
    the_preview_shows_the_sql_and_the_run_leaves_rows_and_pointer_where_they_are(world)
    the_apps_role_may_use_what_a_migration_made(world)
    a_migration_that_loses_data_is_refused_until_the_edit_names_it(world)
    a_migration_that_fails_on_productions_rows_fails_in_the_rehearsal_and_changes_nothing(world)
    a_review_sees_the_measured_locks_and_the_next_edit_runs_what_was_rehearsed(world)
    the_way_back_is_one_edit_and_counts_what_was_written_since(world)
    what_was_taken_back_comes_again_like_any_other(world)
    a_restore_point_can_be_adopted_and_served_when_neons_history_is_over(world)


def a_change_to_standard_migration_runs_nothing_while_nothing_is_pending(world: World) -> None:
    world.edit("prod", strategy=STANDARD, safety=LIVE)
    world.up("prod")
    world.up("prod", "--expect-no-changes")
    assert world.outputs("prod")["way_back"] == "", "no migration ran, so there is nothing to go back to"
    assert "way_back" not in world.preview("prod"), "a preview without changes knows that nothing about it changes"


def the_preview_shows_the_sql_and_the_run_leaves_rows_and_pointer_where_they_are(world: World) -> None:
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


def the_apps_role_may_use_what_a_migration_made(world: World) -> None:
    add_migration(world, "0003_reviews", 'CREATE TABLE "reviews" ("id" serial PRIMARY KEY, "text" text NOT NULL);')
    world.up("prod")
    may = "SELECT has_table_privilege('app_prod_1', 'reviews', '{}')"
    granted = [world.sql("prod", "prod-v1", may.format(right))[0][0] for right in ("INSERT", "DELETE", "TRUNCATE")]
    assert granted == [True, True, False]


def a_migration_that_loses_data_is_refused_until_the_edit_names_it(world: World) -> None:
    file = add_migration(world, "0004_drop", 'ALTER TABLE "orders" DROP COLUMN "note";')
    said = refused(world)
    assert "0004_drop" in said
    assert "allow_data_loss" in said
    world.edit("prod", strategy=STANDARD | {"allow_data_loss": ["0004_drop"]})
    world.preview("prod")
    take_out(world, file)
    world.edit("prod", strategy=STANDARD)


def a_migration_that_fails_on_productions_rows_fails_in_the_rehearsal_and_changes_nothing(world: World) -> None:
    doubled = 'INSERT INTO "customers" ("email", "name") SELECT "email", "name" FROM "customers";'
    file = add_migration(world, "0004_doubled", doubled)
    with pytest.raises(CommandError) as failed:
        world.up("prod")
    said = flat(failed.value)
    assert "the rehearsal on a copy of prod-v1 failed, prod-v1 itself is untouched" in said
    assert "0004_doubled.sql, statement 1: duplicate key value violates unique constraint" in said
    assert "(SQLSTATE 23505)" in said
    assert world.serving()["ok"]
    take_out(world, file)
    world.up("prod", "--expect-no-changes")


def a_review_sees_the_measured_locks_and_the_next_edit_runs_what_was_rehearsed(world: World) -> None:
    add_migration(world, "0004_rated", 'ALTER TABLE "orders" ADD COLUMN "rating" integer;')
    world.edit("prod", strategy=STANDARD | {"stop_after_rehearsal": True})
    deployment = world.serving_deployment()
    said = flat(world.up("prod"))
    assert "rehearsed on a copy in" in said
    assert "orders: reads and writes wait (AccessExclusiveLock)" in said
    assert "stop_after_rehearsal is set, so nothing ran. Pending: 0004_rated" in said
    assert world.sql("prod", "prod-v1", columns("orders", "rating")) == [(0,)]
    assert world.serving_deployment() == deployment, "an app that may need the column waits with its migration"
    receipt = migration(world)["receipt"]
    world.up("prod", "--expect-no-changes")

    world.edit("prod", strategy=STANDARD)
    assert "0004_rated" in world.preview("prod")
    said = flat(world.up("prod"))
    assert "rehearsed on a copy in" not in said, "an unchanged receipt isn't rehearsed twice"
    assert "0004_rated applied in" in said
    assert migration(world)["receipt"] == receipt
    assert world.serving_deployment() != deployment
    assert world.sql("prod", "prod-v1", columns("orders", "rating")) == [(1,)]


def the_way_back_is_one_edit_and_counts_what_was_written_since(world: World) -> None:
    file = add_migration(world, "0005_paid", 'ALTER TABLE "orders" ADD COLUMN "paid" boolean DEFAULT false NOT NULL;')
    world.up("prod")
    outputs = world.outputs("prod")
    assert world.post("/orders", outputs["domain"]) == CREATED
    restored = json.loads(outputs["way_back"].partition("at: ")[2].partition("}")[0])
    branches = world.setting("prod", "branches") | {"restored": {"from": {"branch": "prod-v1"}, "at": restored}}
    world.edit("prod", branches=branches, serve="restored")
    said = refused(world)
    assert "restored is prod-v1 as it was before 0005_paid. app/drizzle still holds 0005_paid" in said
    take_out(world, file)
    assert left(refused(world)) == ("prod-v1", ROWS_SINCE)
    world.edit("prod", accept={"branch": "prod-v1", "rows": 3})
    before = world.serving()["rows"]["orders"]
    world.up("prod")
    assert world.serving()["branch"] == "restored"
    assert world.serving()["rows"]["orders"] == before - 1
    assert world.sql("prod", "restored", columns("orders", "paid")) == [(0,)]
    assert world.sql("prod", "restored", columns("orders", "note")) == [(1,)]
    world.up("prod", "--expect-no-changes")


def what_was_taken_back_comes_again_like_any_other(world: World) -> None:
    add_migration(world, "0005_paid", 'ALTER TABLE "orders" ADD COLUMN "paid" boolean DEFAULT true NOT NULL;')
    assert "0005_paid" in world.preview("prod")
    world.up("prod")
    assert world.sql("prod", "restored", "SELECT bool_and(paid) FROM orders") == [(True,)]
    assert "restored-restored" in world.outputs("prod")["way_back"]


def a_restore_point_can_be_adopted_and_served_when_neons_history_is_over(world: World) -> None:
    point = migration(world)["restorePoint"]
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    adopted = world.setting("prod", "branches") | {"kept": {"adopt": True, "name": point["name"]}}
    world.edit("prod", branches=adopted, serve="kept")
    world.environments("adopt", "-s", "prod")
    assert "kept is restored as it was before 0005_paid" in refused(world)
    take_out(world, world.folder / "app" / "drizzle" / "0005_paid.sql")
    assert left(refused(world)) == ("restored", ROWS_SINCE)
    world.edit("prod", accept={"branch": "restored", "rows": 3})
    world.up("prod")
    assert world.serving()["branch"] == "kept"
    assert world.sql("prod", "kept", columns("orders", "paid")) == [(0,)]
    assert "expires_at" not in in_neon(world, "GET", f"/branches/{point['id']}")["branch"], "it lives on"
    assert world.post("/orders", world.outputs("prod")["domain"]) == CREATED
    world.up("prod", "--expect-no-changes")


def left(said: str) -> tuple[str, set[str]]:
    """Return from which branch a move was refused, and the rows per table that would be left behind."""
    found = re.search(r"\d+ rows \((.*?)\) were written to (\S+) since the restore point was made", said)
    assert found, said
    return found[2], set(found[1].split(", "))


def migration(world: World) -> dict[str, Any]:
    """Return the outputs of production's Migration."""
    return dict(world.resource("prod", "environments:index:Migration::served")["outputs"])
