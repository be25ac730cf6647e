"""Projects over the API: what a fresh one has, what is refused."""

import httpx
import pytest

from tests.localcloud.neon.hosting import Host, Project

pytestmark = pytest.mark.slow


def test_a_fresh_project_has_a_default_root_branch_an_endpoint_a_role_and_a_database(settled: Project) -> None:
    branch, endpoint = settled.answer["branch"], settled.answer["endpoints"][0]
    assert (branch["name"], branch["default"], branch["primary"], branch["protected"]) == ("main", True, True, False)
    assert "parent_id" not in branch
    assert (endpoint["type"], endpoint["current_state"], endpoint["disabled"]) == ("read_write", "active", False)
    assert "." in endpoint["host"]
    assert [role["name"] for role in settled.answer["roles"]] == ["neondb_owner"]
    assert [database["owner_name"] for database in settled.answer["databases"]] == ["neondb_owner"]
    assert {operation["status"] for operation in settled.answer["operations"]} == {"finished"}


def test_the_uri_of_the_creation_connects_to_postgres_as_the_owner(settled: Project) -> None:
    uri = settled.answer["connection_uris"][0]["connection_uri"]
    assert settled.sql("SELECT current_user, current_database()", uri=uri) == [("neondb_owner", "neondb")]


def test_names_of_branch_role_and_database_can_be_chosen(host: Host) -> None:
    branch = {"name": "trunk", "role_name": "Anna O'Neil", "database_name": "shop db"}
    answer = host.call("POST", "/projects", {"project": {"branch": branch}}, status=201)
    made = Project(host, answer)
    uri = made.uri(role="Anna O'Neil", database="shop db")
    assert made.sql("SELECT current_user, current_database()", uri=uri) == [("Anna O'Neil", "shop db")]
    host.call("DELETE", made.path)


def test_every_operation_of_an_answer_can_be_read_and_is_listed(settled: Project) -> None:
    listed = settled.host.call("GET", f"{settled.path}/operations")["operations"]
    for operation in settled.answer["operations"]:
        assert settled.host.call("GET", f"{settled.path}/operations/{operation['id']}")["operation"] == operation
        assert operation in listed


def test_settings_and_defaults_are_changed_one_by_one(project: Project) -> None:
    body = {"project": {"name": "renamed", "settings": {"allowed_ips": {"ips": ["10.0.0.0/8"]}}}}
    project.host.call("PATCH", project.path, body)
    body = {"project": {"default_endpoint_settings": {"autoscaling_limit_max_cu": 4}}}
    project.host.call("PATCH", project.path, body)
    shown = project.host.call("GET", project.path)["project"]
    assert shown["name"] == "renamed"
    assert shown["settings"]["allowed_ips"] == {"ips": ["10.0.0.0/8"], "protected_branches_only": False}
    assert shown["default_endpoint_settings"]["autoscaling_limit_min_cu"] == 0.25
    assert shown["default_endpoint_settings"]["autoscaling_limit_max_cu"] == 4


def test_projects_are_listed_page_by_page_until_nothing_is_left(host: Host, settled: Project) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = host.call("GET", "/projects", query={"limit": "1", "cursor": cursor})
        seen += [item["id"] for item in page["projects"]]
        if "pagination" not in page:
            break
        cursor = page["pagination"]["cursor"]
    assert len(seen) == len(set(seen))
    assert settled.answer["project"]["id"] in seen


def test_a_deleted_project_leaves_no_process_and_no_file(host: Host) -> None:
    made = Project(host, host.call("POST", "/projects", {"project": {}}, status=201))
    uri = made.uri()
    host.call("DELETE", made.path)
    assert host.refused("GET", made.path)[0] == 404
    assert not (host.state / "branches" / made.root).exists()
    with pytest.raises(Exception, match="could not be found"):
        made.sql("SELECT 1", uri=uri)


def test_a_project_with_a_protected_branch_is_not_deleted(project: Project) -> None:
    project.host.call("PATCH", f"{project.path}/branches/{project.root}", {"branch": {"protected": True}})
    status, text = project.host.refused("DELETE", project.path)
    assert status == 422
    assert "main" in text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"project": {"pg_version": 14}}, "pg_version is 14"),
        ({"project": {"name": ""}}, "project name"),
        ({"project": {"name": 7}}, "project.name"),
        ({"project": {"default_endpoint_settings": {"autoscaling_limit_min_cu": 0.7}}}, "0.7"),
        ({"project": {"default_endpoint_settings": {"autoscaling_limit_min_cu": 4}}}, "raise the maximum"),
        ({"project": {"branch": {"name": "x" * 257}}}, "branch name"),
        ({"project": {"branch": {"role_name": "r" * 64}}}, "role name"),
    ],
)
def test_a_project_that_breaks_a_rule_is_refused_and_not_made(host: Host, body: dict[str, object], text: str) -> None:
    before = host.call("GET", "/projects", query={"limit": "400"})["projects"]
    status, message = host.refused("POST", "/projects", body)
    assert status == 400
    assert text in message
    assert host.call("GET", "/projects", query={"limit": "400"})["projects"] == before


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic x", "napi_key_of_the_tests"])
def test_every_call_needs_the_key(host: Host, header: str) -> None:
    for path in ("/api/v2/projects", "/api/v2/nonsense"):
        url = f"http://127.0.0.1:{host.api_port}{path}"
        assert httpx.get(url, headers={"Authorization": header}).status_code == 401


def test_an_unknown_route_is_501_and_logged_loudly(host: Host, settled: Project) -> None:
    status, _ = host.refused("POST", f"{settled.path}/branches/{settled.root}/recover", {})
    assert status == 501
    assert f"NOT MODELLED: POST /api/v2{settled.path}/branches/{settled.root}/recover" in host.log.read_text()


def test_a_body_that_is_no_json_is_refused(host: Host) -> None:
    assert host.api.post("/projects", content=b"{").status_code == 400


def test_the_account_and_its_organisation_can_be_read(host: Host) -> None:
    assert host.call("GET", "/users/me")["login"]
    assert host.call("GET", "/users/me/organizations")["organizations"][0]["id"].startswith("org-")
    assert host.call("GET", "/projects/shared") == {"projects": []}
