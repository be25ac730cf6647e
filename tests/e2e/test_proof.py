"""Success is proven before the domain moves: by a session on the branch that comes, and by what its login sees."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

APP = """\
import pg from "pg";

// Healthy wherever it is connected to; it doesn't say which branch that is.
export default async (request, response) => {
  const client = new pg.Client({ connectionString: process.env.POSTGRES_URL ?? process.env.DATABASE_URL });
  await client.connect();
  const { rows } = await client.query("select count(*)::int as orders from orders");
  await client.end();
  response.end(JSON.stringify({ ok: true, orders: rows[0].orders }));
};
"""
UP = ("up", "--yes", "--skip-preview", "-s", "prod")
PREVIEW = ("preview", "-s", "prod")


def set_variable(world: World, key: str, value: str) -> None:
    """Add a variable of production by hand, as the integrations of a marketplace do."""
    project = world.outputs("prod")["projects"]["vercel"]
    body = {"key": key, "value": value, "type": "encrypted", "target": ["production"]}
    headers = {"Authorization": f"Bearer {world.cloud.vercel_api_token}"}
    httpx.post(
        f"{world.cloud.vercel_api_url}/v10/projects/{project}/env", headers=headers, json=body
    ).raise_for_status()


def as_owner(world: World, branch: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement on a branch that an update made and didn't come to serve: the stack exports it only later."""
    made = world.resource("prod", f"neon:index/branch:Branch::{branch}")
    query = {"branch_id": made["id"], "database_name": "neondb", "role_name": "neondb_owner"}
    answer = httpx.get(
        f"{world.cloud.neon_api_host}/projects/{made['inputs']['projectId']}/connection_uri",
        headers={"Authorization": f"Bearer {world.cloud.neon_api_key}"},
        params=query,
    )
    with psycopg.connect(answer.raise_for_status().json()["uri"], autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_healthy_answer_is_believed_only_with_proof(world: World) -> None:
    an_app_that_reads_postgres_url_stays_where_it_is_and_gets_the_domain_once_it_reads_database_url(world)
    rows_that_row_level_security_hides_from_the_app_alone_refuse_the_move_until_a_policy_shows_them(world)


def an_app_that_reads_postgres_url_stays_where_it_is_and_gets_the_domain_once_it_reads_database_url(
    world: World,
) -> None:
    before, served = world.serving_deployment(), world.app_url("prod", "prod-v1")
    set_variable(world, "POSTGRES_URL", served)
    handler = world.folder / "app" / "api" / "index.js"
    handler.write_text(APP)
    branches = world.setting("prod", "branches")
    world.edit("prod", branches=branches | {"prod-v2": branches["prod-v1"]}, serve="prod-v2")
    said = world.refused(*UP)
    assert "answers status 200, and no session of app_prod_1 was seen on prod-v2 meanwhile" in said
    assert "Production is as it was" in said
    assert served not in said
    assert world.serving_deployment() == before

    handler.write_text(APP.replace("process.env.POSTGRES_URL ?? ", ""))
    world.up("prod")
    assert world.serving_deployment() != before
    world.add_orders("prod", "prod-v2", 1)
    assert world.health(world.outputs("prod")["domain"])["orders"] == world.orders("prod", "prod-v2")


def rows_that_row_level_security_hides_from_the_app_alone_refuse_the_move_until_a_policy_shows_them(
    world: World,
) -> None:
    before = world.serving_deployment()
    world.sql("dev", "dev", "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    world.sql("dev", "dev", "CREATE POLICY theirs ON orders USING (current_user = 'somebody')")
    world.edit("prod", accept={"branch": "prod-v2", "rows": "any"})
    branches = world.setting("prod", "branches")
    world.edit("prod", branches=branches | {"prod-v3": branches["prod-v2"]}, serve="prod-v3")
    hidden = "app_prod_1 on prod-v3 sees none of the rows of public.orders (row-level security hides them)"
    said = world.refused(*UP)
    assert hidden in said
    assert "The pointer was not moved" in said
    assert as_owner(world, "prod-v3", "SELECT count(*) > 0 FROM orders") == [(True,)]
    assert world.serving_deployment() == before
    refused = world.refused(*PREVIEW)
    assert hidden in refused

    remedy = refused.partition("for all of them: ")[2].partition("), or")[0]
    assert remedy == "CREATE POLICY app_rows ON public.orders TO app_prod_1 USING (true)"
    as_owner(world, "prod-v3", remedy)
    world.up("prod")
    assert world.health(world.outputs("prod")["domain"])["orders"] == world.orders("prod", "prod-v3")
