"""The proxy: one port, every endpoint, and nobody gets further than a password takes them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.localcloud.neon.hosting import Project


def test_the_pooled_uri_reaches_the_same_compute(settled: Project) -> None:
    uri = settled.uri(pooled=True)
    assert f"{settled.endpoint}-pooler" in uri
    assert settled.sql("SELECT current_setting('neon.endpoint_id')", uri=uri) == [(settled.endpoint,)]


def test_other_options_are_passed_on(settled: Project) -> None:
    uri = f"{settled.uri()}%20-c%20application_name%3Dthe_app"
    assert settled.sql("SELECT current_setting('application_name')", uri=uri) == [("the_app",)]


def test_a_client_that_asks_for_tls_first_may_go_on_without(settled: Project) -> None:
    uri = settled.uri().replace("sslmode=disable", "sslmode=prefer")
    assert settled.sql("SELECT 1", uri=uri) == [(1,)]


def test_an_unknown_or_missing_endpoint_is_named_in_a_postgres_error(settled: Project) -> None:
    uri = settled.uri()
    with pytest.raises(psycopg.OperationalError, match="could not be found, or you don't have access"):
        settled.sql("SELECT 1", uri=uri.replace(settled.endpoint, "ep-none-none-00000000"))
    with pytest.raises(psycopg.OperationalError, match="Endpoint ID is not specified"):
        settled.sql("SELECT 1", uri=uri.partition("&options")[0])


@pytest.mark.parametrize("user", ["cloud_admin", "cloud_admin:guess", "postgres:guess", "neon_superuser:guess"])
def test_no_role_of_the_service_gets_in(settled: Project, user: str) -> None:
    secret = settled.uri().partition("://")[2].partition("@")[0]
    for suffix in ("", "&replication=database"):
        with pytest.raises(psycopg.OperationalError):
            settled.sql("SELECT 1", uri=settled.uri().replace(secret, user) + suffix)


def test_a_cancel_request_reaches_the_session_that_it_means(project: Project) -> None:
    project.branch("another compute")
    with psycopg.connect(project.uri(), autocommit=True) as session:
        timer = threading.Timer(0.3, session.cancel_safe)
        timer.start()
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            session.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - began < 10
        timer.join()


def test_much_data_goes_both_ways_unharmed(settled: Project) -> None:
    text = "0123456789abcdef" * 500_000
    with psycopg.connect(settled.uri()) as session:
        row = session.execute("SELECT %s::text, md5(%s::text) = md5(repeat('0123456789abcdef', 500000))", (text, text))
        assert row.fetchone() == (text, True)


@pytest.mark.slow
def test_two_hundred_sessions_live_at_once(settled: Project) -> None:
    uri = settled.uri()
    with ThreadPoolExecutor(16) as pool:
        sessions = list(pool.map(lambda _: psycopg.connect(uri, autocommit=True), range(200)))
        assert [session.execute("SELECT 1").fetchone() for session in sessions] == [(1,)] * 200
        for session in sessions:
            session.close()


def test_clients_that_come_together_wake_one_compute_for_all(project: Project) -> None:
    uri = project.uri()
    project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/suspend")
    with ThreadPoolExecutor(20) as pool:
        starts = list(pool.map(lambda _: project.sql("SELECT pg_postmaster_start_time()", uri=uri), range(20)))
    assert all(start == starts[0] for start in starts)
