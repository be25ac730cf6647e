"""The app on its own, against real Postgres."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.localcloud.neon.hosting import wait_until

pytestmark = pytest.mark.slow

Serve = Callable[[str | None], httpx.Client]
END_WAITING = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
EXPECTED_ROWS = {"customers": 3, "products": 3, "orders": 4, "order_items": 5}


def test_health_names_the_branch_the_deployment_and_the_rows(postgres: Any, seeded: str, serve: Serve) -> None:
    answer = serve(postgres.url(seeded)).get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "ok": True,
        "deployment": "dpl_1",
        "branch": "br-quiet-field-1",
        "endpoint": "ep-still-sun-1",
        "database": seeded,
        "rows": EXPECTED_ROWS,
    }


def test_an_order_is_written_and_listed(postgres: Any, seeded: str, serve: Serve) -> None:
    client = serve(postgres.url(seeded))
    answer = client.post("/orders")
    assert (answer.status_code, answer.json()) == (201, {"id": 5, "branch": "br-quiet-field-1"})
    newest = client.get("/orders").json()["orders"][0]
    assert (newest["id"], newest["customer"], newest["status"], newest["total"]) == (5, "Ada", "placed", "24.90")


def test_an_order_that_the_database_refuses_is_a_503_and_reading_goes_on(
    postgres: Any, seeded: str, serve: Serve
) -> None:
    with psycopg.connect(postgres.url(seeded), autocommit=True) as owner:
        owner.execute("CREATE ROLE fenced LOGIN PASSWORD 'fenced-canary'")
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO fenced")
    client = serve(postgres.url(seeded, "fenced", "fenced-canary"))
    answer = client.post("/orders")
    assert (answer.status_code, answer.json()["error"]) == (503, "permission_denied")
    assert client.get("/health").json()["rows"] == EXPECTED_ROWS


def test_a_lost_database_is_a_503_that_tells_no_secret(postgres: Any, seeded: str, serve: Serve) -> None:
    cases = {
        postgres.url(seeded, password="wrong-canary"): "authentication_failed",
        postgres.url("nowhere"): "no_such_database",
        "postgresql://u:canary@127.0.0.1:1/db?sslmode=disable": "connection_refused",
        postgres.url(postgres.database()): "not_migrated",
        None: "not_configured",
    }
    for url, problem in cases.items():
        answer = serve(url).get("/health")
        assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (503, False, problem)
        assert "canary" not in answer.text


def test_connections_that_the_server_ends_are_replaced_without_a_failed_request(
    postgres: Any, seeded: str, serve: Serve
) -> None:
    client = serve(postgres.url(seeded))
    for _ in range(3):
        assert client.get("/health").status_code == 200
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as owner:
            ended = owner.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", (seeded,)
            ).fetchone()
        assert ended
        assert ended[0] > 0
        assert client.post("/orders").status_code == 201


@pytest.mark.parametrize(("asked", "status"), [("GET /health", 200), ("POST /orders", 503)])
def test_a_read_that_loses_its_connection_half_way_is_read_again_and_a_write_is_not(
    postgres: Any, seeded: str, serve: Serve, asked: str, status: int
) -> None:
    client, url = serve(postgres.url(seeded)), postgres.url(seeded)
    with (
        ThreadPoolExecutor() as visitors,
        psycopg.connect(url) as locked,
        psycopg.connect(url, autocommit=True) as ended,
    ):
        locked.execute("LOCK TABLE customers")
        answer = visitors.submit(client.request, *asked.split())
        wait_until(lambda: ended.execute(END_WAITING, (seeded,)).fetchone() is not None)
        locked.rollback()
        assert answer.result().status_code == status
        assert ended.execute("SELECT count(*) FROM orders").fetchone() == (EXPECTED_ROWS["orders"],)


def test_the_page_shows_where_it_comes_from_and_escapes_what_it_shows(postgres: Any, seeded: str, serve: Serve) -> None:
    with psycopg.connect(postgres.url(seeded), autocommit=True) as owner:
        owner.execute("UPDATE customers SET name = '<script>alert(1)</script>'")
    answer = serve(postgres.url(seeded)).get("/", headers={"accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "br-quiet-field-1" in answer.text
    assert "dpl_1" in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script" not in answer.text


def test_an_order_from_the_page_leads_back_to_it(postgres: Any, seeded: str, serve: Serve) -> None:
    answer = serve(postgres.url(seeded)).post("/orders", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_an_empty_shop_takes_no_order(postgres: Any, node: Callable[..., Any], serve: Serve) -> None:
    empty = postgres.database()
    assert node("drizzle-kit", "migrate", url=postgres.url(empty)).returncode == 0
    assert serve(postgres.url(empty)).post("/orders").status_code == 409


def test_other_paths_and_methods_are_not_found(postgres: Any, seeded: str, serve: Serve) -> None:
    client = serve(postgres.url(seeded))
    assert [client.get("/nothing").status_code, client.delete("/orders").status_code] == [404, 404]


def test_migrating_and_seeding_twice_changes_nothing(postgres: Any, seeded: str, node: Callable[..., Any]) -> None:
    url = postgres.url(seeded)
    assert node("drizzle-kit", "migrate", url=url).returncode == 0
    assert json.loads(node("node", "seed.js", url=url).stdout) == EXPECTED_ROWS
    with psycopg.connect(url) as connection:
        applied = connection.execute("SELECT count(*) FROM drizzle.__drizzle_migrations").fetchone()
    assert applied == (2,)


def test_the_second_migration_evolves_a_database_with_data(postgres: Any, app: Path) -> None:
    statements = [
        [
            part
            for part in (app / "drizzle" / f"{tag}.sql").read_text().split("--> statement-breakpoint")
            if part.strip()
        ]
        for tag in ("0000_shop", "0001_order_status")
    ]
    with psycopg.connect(postgres.url(postgres.database()), autocommit=True) as connection:
        for statement in statements[0]:
            connection.execute(statement.encode())
        connection.execute("INSERT INTO customers (email, name) VALUES ('a@example.com', 'A')")
        connection.execute("INSERT INTO orders (customer_id) VALUES (1)")
        for statement in statements[1]:
            connection.execute(statement.encode())
        assert connection.execute("SELECT status FROM orders").fetchall() == [("placed",)]


def test_the_migrations_say_all_that_the_schema_says(app: Path, node: Callable[..., Any]) -> None:
    before = sorted(path.name for path in (app / "drizzle").rglob("*"))
    done = node("drizzle-kit", "generate", url=None)
    assert "No schema changes" in done.stdout, done.stdout + done.stderr
    assert sorted(path.name for path in (app / "drizzle").rglob("*")) == before


def test_versions_are_exact_and_the_lock_file_names_no_registry(app: Path) -> None:
    package = json.loads((app / "package.json").read_text())
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    lock = json.loads((app / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    assert [name for name, entry in lock["packages"].items() if name and "integrity" not in entry] == []
