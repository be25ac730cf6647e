"""Branches that end by themselves, and those that must not."""

from datetime import UTC, datetime, timedelta

from tests.localcloud.neon.hosting import Json, Project, wait_until


def after(**time: float) -> str:
    moment = datetime.now(UTC) + timedelta(**time)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_gone(project: Project, branch: str) -> bool:
    return project.host.api.get(f"{project.path}/branches/{branch}").status_code == 404


def test_an_expired_branch_is_deleted_with_its_compute_and_files(project: Project) -> None:
    made = project.branch("short", expires_at=after(seconds=1.5))
    branch, endpoint = made["branch"], made["endpoints"][0]["id"]
    assert branch["expires_at"]
    assert branch["ttl_interval_seconds"] in {1, 2}
    assert project.sql("SELECT 1", branch["id"]) == [(1,)]
    wait_until(lambda: is_gone(project, branch["id"]))
    assert project.host.refused("GET", f"{project.path}/endpoints/{endpoint}")[0] == 404
    wait_until(lambda: not (project.host.state / "branches" / branch["id"]).exists())
    assert [found["name"] for found in project.host.call("GET", f"{project.path}/branches")["branches"]] == ["main"]


def test_null_takes_the_end_away_and_leaving_it_out_does_not(project: Project) -> None:
    branch = project.branch("short", endpoint=False, expires_at=after(days=1))["branch"]["id"]
    path = f"{project.path}/branches/{branch}"
    assert project.host.call("PATCH", path, {"branch": {"name": "renamed"}})["branch"]["expires_at"]
    assert "expires_at" not in project.host.call("PATCH", path, {"branch": {"expires_at": None}})["branch"]
    answer = project.host.call("PATCH", path, {"branch": {"expires_at": after(hours=1)}})["branch"]
    assert answer["ttl_interval_seconds"] == 3600


def test_a_reset_gives_the_branch_its_whole_time_again(project: Project) -> None:
    branch = project.branch("short", endpoint=False, expires_at=after(hours=1))["branch"]
    path = f"{project.path}/branches/{branch['id']}/restore"
    answer = project.host.call("POST", path, {"source_branch_id": project.root})["branch"]
    assert answer["ttl_interval_seconds"] == 3600
    assert answer["expires_at"] > branch["expires_at"]


def test_an_end_that_cannot_be_is_refused(project: Project) -> None:
    parent = project.branch("parent", endpoint=False)["branch"]["id"]
    child = project.branch("child", parent=parent, endpoint=False, expires_at=after(days=1))["branch"]["id"]
    branches = f"{project.path}/branches"
    soon = {"branch": {"expires_at": after(hours=1)}}
    cases: list[tuple[str, str, Json | None, int, str]] = [
        ("PATCH", f"{branches}/{project.root}", soon, 422, "the default branch"),
        ("PATCH", f"{branches}/{parent}", soon, 422, "the parent of other branches"),
        ("PATCH", f"{branches}/{child}", {"branch": {"protected": True}}, 422, "protected"),
        ("POST", f"{branches}/{child}/set_as_default", None, 422, "the default branch"),
        ("POST", branches, {"branch": {"parent_id": child}}, 422, "can't have children"),
        ("POST", branches, {"branch": {"protected": True, "expires_at": after(hours=1)}}, 422, "protected"),
        ("POST", branches, {"branch": {"expires_at": after(days=31)}}, 400, "more than 30 days"),
        ("POST", branches, {"branch": {"expires_at": after(seconds=-5)}}, 400, "in the past"),
        ("POST", branches, {"branch": {"expires_at": "soon"}}, 400, "looks like"),
    ]
    for method, path, body, status, reason in cases:
        refused, text = project.host.refused(method, path, body)
        assert (refused, reason in text) == (status, True), text
    assert len(project.host.call("GET", branches)["branches"]) == 3
