"""Endpoints: real sizes, sleep and waking, and what is refused."""

import psycopg
import pytest

from tests.localcloud.neon.hosting import Json, Project

pytestmark = pytest.mark.slow

SIZES = "SELECT current_setting('shared_buffers'), current_setting('max_connections'), current_setting('work_mem')"


def make(project: Project, branch: str, *, status: int = 201, **fields: object) -> Json:
    body = {"endpoint": {"branch_id": branch, "type": "read_write", **fields}}
    return project.host.call("POST", f"{project.path}/endpoints", body, status=status)


def test_the_size_of_an_endpoint_is_the_size_of_its_postgres(project: Project) -> None:
    branch = project.branch("child", endpoint=False)["branch"]["id"]
    made = make(project, branch, autoscaling_limit_min_cu=1, autoscaling_limit_max_cu=2)["endpoint"]
    assert (made["autoscaling_limit_min_cu"], made["autoscaling_limit_max_cu"]) == (1, 2)
    assert project.sql(SIZES, branch) == [("128MB", "839", "4MB")]


def test_a_changed_size_restarts_postgres_with_the_new_one(project: Project) -> None:
    path = f"{project.path}/endpoints/{project.endpoint}"
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    body = {"endpoint": {"autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 0.5}}
    changed = project.host.call("PATCH", path, body)
    assert [operation["action"] for operation in changed["operations"]] == ["suspend_compute", "start_compute"]
    assert project.sql(SIZES) == [("64MB", "209", "2MB")]
    assert project.sql("SELECT n FROM t") == [(1,)]


def test_a_change_that_needs_no_restart_keeps_the_sessions(project: Project) -> None:
    with psycopg.connect(project.uri(), autocommit=True) as session:
        body = {"endpoint": {"branch_id": project.root, "suspend_timeout_seconds": 600, "name": "primary"}}
        project.host.call("PATCH", f"{project.path}/endpoints/{project.endpoint}", body)
        assert session.execute("SELECT 1").fetchone() == (1,)
    shown = project.host.call("GET", f"{project.path}/endpoints/{project.endpoint}")["endpoint"]
    assert (shown["suspend_timeout_seconds"], shown["name"]) == (600, "primary")


def test_postgres_knows_its_project_branch_and_endpoint(project: Project) -> None:
    made = project.branch("child")
    query = "SELECT " + ", ".join(f"current_setting('neon.{thing}_id')" for thing in ("project", "branch", "endpoint"))
    expected = (project.answer["project"]["id"], made["branch"]["id"], made["endpoints"][0]["id"])
    assert project.sql(query, made["branch"]["id"]) == [expected]


def test_a_suspended_compute_wakes_when_somebody_connects_and_has_lost_nothing(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    suspended = project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/suspend")["endpoint"]
    assert suspended["current_state"] == "idle"
    assert suspended["suspended_at"]
    assert project.sql("SELECT n FROM t") == [(1,)]
    assert project.state_of(project.endpoint) == "active"


def test_reading_about_a_suspended_compute_does_not_wake_it(project: Project) -> None:
    project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/suspend")
    for path in ("roles", "databases", "endpoints", "roles/neondb_owner/reveal_password"):
        project.host.call("GET", f"{project.path}/branches/{project.root}/{path}")
    project.uri()
    assert project.state_of(project.endpoint) == "idle"


def test_start_and_restart_bring_the_compute_up(project: Project) -> None:
    path = f"{project.path}/endpoints/{project.endpoint}"
    project.host.call("POST", f"{path}/suspend")
    assert project.host.call("POST", f"{path}/start")["endpoint"]["current_state"] == "active"
    before = project.sql("SELECT pg_postmaster_start_time()")
    assert project.host.call("POST", f"{path}/restart")["endpoint"]["current_state"] == "active"
    assert project.sql("SELECT pg_postmaster_start_time()") != before


def test_a_disabled_endpoint_refuses_connections_until_it_is_enabled(project: Project) -> None:
    path, uri = f"{project.path}/endpoints/{project.endpoint}", project.uri()
    project.host.call("PATCH", path, {"endpoint": {"disabled": True}})
    with pytest.raises(psycopg.OperationalError, match="has been disabled"):
        project.sql("SELECT 1", uri=uri)
    assert project.host.refused("POST", f"{path}/start")[0] == 412
    assert (
        project.host.refused("POST", f"{project.path}/branches/{project.root}/roles", {"role": {"name": "r"}})[0] == 412
    )
    project.host.call("PATCH", path, {"endpoint": {"disabled": False}})
    assert project.sql("SELECT 1", uri=uri) == [(1,)]


def test_a_branch_has_one_read_write_endpoint(settled: Project) -> None:
    body = {"endpoint": {"branch_id": settled.root, "type": "read_write"}}
    status, text = settled.host.refused("POST", f"{settled.path}/endpoints", body)
    assert status == 409
    assert settled.endpoint in text


def test_an_endpoint_moves_to_a_branch_that_has_none(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    branch = project.branch("child", endpoint=False)["branch"]["id"]
    project.sql("DROP TABLE t")
    uri = project.uri()
    body = {"endpoint": {"branch_id": branch}}
    assert (
        project.host.call("PATCH", f"{project.path}/endpoints/{project.endpoint}", body)["endpoint"]["branch_id"]
        == branch
    )
    assert project.sql("SELECT n, current_setting('neon.branch_id') FROM t", uri=uri) == [(1, branch)]


def test_a_deleted_endpoint_leaves_the_branch_with_its_rows(project: Project) -> None:
    made = project.branch("child")
    branch, endpoint = made["branch"]["id"], made["endpoints"][0]["id"]
    project.sql("CREATE TABLE t AS SELECT 1 AS n", branch)
    project.host.call("DELETE", f"{project.path}/endpoints/{endpoint}")
    project.host.call("DELETE", f"{project.path}/endpoints/{endpoint}", status=204)
    assert project.host.call("GET", f"{project.path}/branches/{branch}/endpoints")["endpoints"] == []
    make(project, branch)
    assert project.sql("SELECT n FROM t", branch) == [(1,)]


def test_the_endpoint_of_a_protected_branch_is_not_deleted(project: Project) -> None:
    project.host.call("PATCH", f"{project.path}/branches/{project.root}", {"branch": {"protected": True}})
    assert project.host.refused("DELETE", f"{project.path}/endpoints/{project.endpoint}")[0] == 422


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"autoscaling_limit_min_cu": 3.5}, 400, "3.5"),
        ({"autoscaling_limit_min_cu": 4}, 400, "raise the maximum"),
        ({"autoscaling_limit_max_cu": 12}, 400, "at most 8 CU"),
        ({"suspend_timeout_seconds": 30}, 400, "suspend_timeout_seconds is 30"),
        ({"suspend_timeout_seconds": -2}, 400, "suspend_timeout_seconds"),
        ({"type": "read_only"}, 501, "read_only"),
        ({"type": "other"}, 400, "endpoint.type"),
        ({"settings": {"pg_settings": {"work_mem": "1MB"}}}, 501, "pg_settings"),
        ({"branch_id": "br-none-none-00000000"}, 404, "not found"),
    ],
)
def test_an_endpoint_that_cannot_be_made_as_asked_is_refused(
    settled: Project, fields: Json, status: int, text: str
) -> None:
    branch = settled.bare
    body = {"endpoint": {"branch_id": branch, "type": "read_write", **fields}}
    refused, message = settled.host.refused("POST", f"{settled.path}/endpoints", body)
    assert refused == status
    assert text in message
    assert len(settled.host.call("GET", f"{settled.path}/endpoints")["endpoints"]) == 1
