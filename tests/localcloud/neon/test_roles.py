"""Roles and databases: who may do what, and who knows which password."""

import psycopg
import pytest

from tests.localcloud.neon.hosting import Json, Project


def roles(project: Project, branch: str | None = None) -> str:
    return f"{project.path}/branches/{branch or project.root}/roles"


def databases(project: Project, branch: str | None = None) -> str:
    return f"{project.path}/branches/{branch or project.root}/databases"


def password(project: Project, branch: str | None = None, role: str = "neondb_owner") -> str:
    return str(project.host.call("GET", f"{roles(project, branch)}/{role}/reveal_password")["password"])


def opens(project: Project, branch: str, secret: str) -> bool:
    uri = project.uri(branch)
    try:
        project.sql("SELECT 1", uri=uri.replace(password(project, branch), secret))
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            return False
        raise
    return True


def test_the_owner_is_a_neon_superuser_and_no_real_one(settled: Project) -> None:
    query = "SELECT rolsuper, rolcreatedb, rolcreaterole, pg_has_role('neon_superuser', 'MEMBER') FROM pg_roles"
    assert settled.sql(f"{query} WHERE rolname = current_user") == [(False, True, True, True)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        settled.sql("SELECT pg_read_file('/etc/passwd')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        settled.sql("COPY (SELECT 1) TO PROGRAM 'true'")


def test_the_owner_installs_the_extensions_that_neon_trusts(project: Project) -> None:
    project.sql("CREATE TABLE t AS SELECT 1 AS n")
    for extension in ("pg_prewarm", "pg_stat_statements", "vector"):
        project.sql(f"CREATE EXTENSION {extension}")
    assert project.sql("SELECT pg_prewarm('t')") == [(1,)]
    assert project.sql("SELECT count(*) > 0 FROM pg_stat_statements") == [(True,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        project.sql("CREATE EXTENSION file_fdw")


def test_a_role_of_the_api_gets_a_password_and_can_write_everywhere(project: Project) -> None:
    project.sql("CREATE TABLE t (n int)")
    made = project.host.call("POST", roles(project), {"role": {"name": "app"}}, status=201)["role"]
    assert made["password"] == password(project, role="app")
    project.sql("INSERT INTO t VALUES (1)", uri=project.uri(role="app"))
    assert "password" not in project.host.call("GET", f"{roles(project)}/app")["role"]


def test_a_role_of_sql_is_listed_and_its_password_is_not_revealed(project: Project) -> None:
    project.sql("CREATE ROLE app LOGIN PASSWORD 'of its own'")
    listed = [role["name"] for role in project.host.call("GET", roles(project))["roles"]]
    assert listed == ["neondb_owner", "app"]
    assert project.host.refused("GET", f"{roles(project)}/app/reveal_password")[0] == 412
    project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/suspend")
    assert [role["name"] for role in project.host.call("GET", roles(project))["roles"]] == listed
    project.sql("DROP ROLE app")
    assert [role["name"] for role in project.host.call("GET", roles(project))["roles"]] == ["neondb_owner"]


def test_the_owner_can_end_the_sessions_of_roles_it_made(project: Project) -> None:
    project.sql("CREATE ROLE app LOGIN PASSWORD 'app'")
    uri = project.uri().replace(f"neondb_owner:{password(project)}", "app:app")
    with psycopg.connect(uri, autocommit=True) as session:
        ended = "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = 'app'"
        assert project.sql(ended) == [(True,)]
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_a_reset_replaces_the_password_and_the_old_one_is_dead(project: Project) -> None:
    old = password(project)
    answer = project.host.call("POST", f"{roles(project)}/neondb_owner/reset_password")["role"]
    assert answer["password"] == password(project) != old
    assert opens(project, project.root, answer["password"])
    assert not opens(project, project.root, old)


def test_a_password_that_sql_changed_is_not_revealed_as_if_it_still_worked(project: Project) -> None:
    project.sql("ALTER ROLE neondb_owner PASSWORD 'changed by hand'")
    status, text = project.host.refused("GET", f"{roles(project)}/neondb_owner/reveal_password")
    assert status == 412
    assert "reset it" in text


def test_the_child_of_an_unprotected_branch_shares_its_passwords_until_one_is_reset(project: Project) -> None:
    branch = project.branch("child")["branch"]["id"]
    shared = password(project)
    assert password(project, branch) == shared
    assert opens(project, branch, shared)
    project.host.call("POST", f"{roles(project, branch)}/neondb_owner/reset_password")
    assert not opens(project, branch, shared)
    assert opens(project, project.root, shared)


@pytest.mark.parametrize("suspended", [False, True])
def test_the_child_of_a_protected_branch_has_passwords_of_its_own(project: Project, *, suspended: bool) -> None:
    project.sql("CREATE ROLE of_sql LOGIN PASSWORD 'known'")
    project.host.call("PATCH", f"{project.path}/branches/{project.root}", {"branch": {"protected": True}})
    if suspended:
        project.host.call("POST", f"{project.path}/endpoints/{project.endpoint}/suspend")
    branch = project.branch("child", endpoint=False)["branch"]["id"]
    parents = password(project)
    grandchild = project.branch("grandchild", parent=branch)["branch"]["id"]
    body = {"endpoint": {"branch_id": branch, "type": "read_write"}}
    project.host.call("POST", f"{project.path}/endpoints", body, status=201)
    for made in (branch, grandchild):
        assert password(project, made) != parents
        assert opens(project, made, password(project, made))
        assert not opens(project, made, parents)
        known = project.uri(made).replace(f"neondb_owner:{password(project, made)}", "of_sql:known")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            project.sql("SELECT 1", uri=known)
    assert opens(project, project.root, parents)


def test_passwords_that_are_not_stored_are_shown_once(project: Project) -> None:
    host = project.host
    other = Project(host, host.call("POST", "/projects", {"project": {"store_passwords": False}}, status=201))
    assert other.answer["roles"][0]["password"]
    assert host.refused("GET", f"{roles(other)}/neondb_owner/reveal_password")[0] == 412
    shown = host.call("POST", f"{roles(other)}/neondb_owner/reset_password")["role"]["password"]
    uri = other.answer["connection_uris"][0]["connection_uri"].replace(other.answer["roles"][0]["password"], shown)
    assert other.sql("SELECT 1", uri=uri) == [(1,)]
    host.call("DELETE", other.path)


def test_a_branch_without_an_endpoint_can_have_no_new_role_or_password(settled: Project) -> None:
    branch = settled.bare
    for path, body in (
        (roles(settled, branch), {"role": {"name": "app"}}),
        (f"{roles(settled, branch)}/neondb_owner/reset_password", None),
        (databases(settled, branch), {"database": {"name": "d", "owner_name": "neondb_owner"}}),
    ):
        status, text = settled.host.refused("POST", path, body)
        assert status == 412
        assert "no read_write endpoint" in text
    assert [role["name"] for role in settled.host.call("GET", roles(settled, branch))["roles"]] == ["neondb_owner"]


def test_a_dropped_role_leaves_its_tables_to_the_owner_of_the_database(project: Project) -> None:
    project.host.call("POST", roles(project), {"role": {"name": "app"}}, status=201)
    project.sql("GRANT CREATE ON SCHEMA public TO app")
    project.sql("CREATE TABLE t AS SELECT 1 AS n", uri=project.uri(role="app"))
    project.host.call("DELETE", f"{roles(project)}/app")
    project.host.call("DELETE", f"{roles(project)}/app", status=204)
    assert project.sql("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [("neondb_owner",)]
    assert project.host.refused("DELETE", f"{roles(project)}/neondb_owner")[0] == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"role": {"name": "neondb_owner"}}, 409),
        ({"role": {"name": "cloud_admin"}}, 422),
        ({"role": {"name": "pg_mine"}}, 422),
        ({"role": {"name": ""}}, 400),
        ({"role": {}}, 400),
        ({}, 400),
    ],
)
def test_a_role_that_cannot_be_is_refused(settled: Project, body: Json, status: int) -> None:
    assert settled.host.refused("POST", roles(settled), body)[0] == status


def test_a_database_is_made_renamed_given_away_and_dropped(project: Project) -> None:
    project.host.call("POST", roles(project), {"role": {"name": "app"}}, status=201)
    body = {"database": {"name": "shop", "owner_name": "neondb_owner"}}
    made = project.host.call("POST", databases(project), body, status=201)["database"]
    body = {"database": {"name": "store", "owner_name": "app"}}
    with psycopg.connect(project.uri(database="shop")):
        changed = project.host.call("PATCH", f"{databases(project)}/shop", body)["database"]
    assert (changed["id"], changed["name"], changed["owner_name"]) == (made["id"], "store", "app")
    with psycopg.connect(project.uri(database="store", role="app")):
        project.host.call("DELETE", f"{databases(project)}/store")
    project.host.call("DELETE", f"{databases(project)}/store", status=204)
    assert project.sql("SELECT datname FROM pg_database WHERE datname IN ('shop', 'store')") == []


def test_a_database_of_sql_is_listed_with_its_owner(project: Project) -> None:
    project.sql("CREATE DATABASE of_sql")
    found = project.host.call("GET", f"{databases(project)}/of_sql")["database"]
    assert found["owner_name"] == "neondb_owner"


@pytest.mark.parametrize(
    ("name", "owner", "status"),
    [
        ("neondb", "neondb_owner", 409),
        ("d", "nobody", 422),
        ("postgres", "neondb_owner", 422),
        ("", "neondb_owner", 400),
    ],
)
def test_a_database_that_cannot_be_is_refused(settled: Project, name: str, owner: str, status: int) -> None:
    body = {"database": {"name": name, "owner_name": owner}}
    assert settled.host.refused("POST", databases(settled), body)[0] == status


def test_a_connection_uri_needs_things_that_exist(settled: Project) -> None:
    bare = settled.bare
    role, database = "role_name=neondb_owner", "database_name=neondb"
    for query, status in (
        (f"{role}", 400),
        (f"{database}", 400),
        (f"{role}&database_name=none", 404),
        (f"role_name=none&{database}", 404),
        (f"{role}&{database}&endpoint_id=ep-none", 404),
        (f"{role}&{database}&branch_id={bare}", 404),
        (f"{role}&{database}&branch_id={bare}&endpoint_id={settled.endpoint}", 404),
    ):
        assert settled.host.refused("GET", f"{settled.path}/connection_uri?{query}")[0] == status, query
