"""Schemas without rows: as a branch and as text."""

import psycopg
import pytest

from tests.localcloud.neon.hosting import Project


def test_a_schema_only_branch_is_a_root_with_tables_roles_and_databases_and_without_rows(project: Project) -> None:
    project.sql("CREATE TABLE t (n serial PRIMARY KEY, price numeric CHECK (price > 0))")
    project.sql("INSERT INTO t (price) SELECT 1 FROM generate_series(1, 100)")
    project.sql("CREATE VIEW v AS SELECT count(*) AS total FROM t")
    project.sql("CREATE ROLE reader LOGIN PASSWORD 'of the reader'")
    project.sql("GRANT SELECT ON t TO reader")
    project.sql('CREATE DATABASE "other db"')
    made = project.branch("shape", init_source="schema-only")
    branch = made["branch"]
    assert "parent_id" not in branch
    assert branch["init_source"] == "schema-only"
    assert {role["name"] for role in made["roles"]} == {"neondb_owner", "reader"}
    assert {database["name"] for database in made["databases"]} == {"neondb", "other db"}
    assert project.sql("SELECT total FROM v", branch["id"]) == [(0,)]
    project.sql("INSERT INTO t (price) VALUES (5)", branch["id"])
    assert project.sql("SELECT n FROM t", branch["id"]) == [(1,)]
    with pytest.raises(psycopg.errors.CheckViolation):
        project.sql("INSERT INTO t (price) VALUES (-1)", branch["id"])
    owner = project.uri(branch["id"])
    reader = owner.replace(owner.partition("://")[2].partition("@")[0], "reader:of%20the%20reader")
    assert project.sql("SELECT count(*) FROM t", uri=reader) == [(1,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        project.sql("DELETE FROM t", uri=reader)
    assert project.sql("SELECT count(*) FROM t") == [(100,)]


def test_a_schema_only_branch_has_a_history_and_children_of_its_own_and_can_be_deleted(project: Project) -> None:
    project.sql("CREATE TABLE t (n int)")
    moment = project.moment()
    project.sql("DROP TABLE t")
    branch = project.branch("shape", init_source="schema-only", parent_timestamp=moment)["branch"]["id"]
    project.sql("INSERT INTO t VALUES (1)", branch)
    between = project.moment(branch)
    project.sql("INSERT INTO t VALUES (2)", branch)
    past = project.branch("past", parent=branch, parent_timestamp=between)["branch"]["id"]
    head = project.branch("head", parent=branch)["branch"]["id"]
    assert project.sql("SELECT n FROM t", past) == [(1,)]
    assert project.sql("SELECT n FROM t ORDER BY n", head) == [(1,), (2,)]
    for made in (past, head, branch):
        project.host.call("DELETE", f"{project.path}/branches/{made}")
    folders = {folder.name for folder in (project.host.state / "branches").iterdir()}
    assert project.root in folders
    assert not folders & {past, head, branch}


def test_the_schema_only_branch_of_a_protected_one_has_passwords_of_its_own(project: Project) -> None:
    parents = project.uri().partition("://")[2].partition("@")[0]
    project.host.call("PATCH", f"{project.path}/branches/{project.root}", {"branch": {"protected": True}})
    branch = project.branch("shape", init_source="schema-only")["branch"]["id"]
    uri = project.uri(branch)
    own = uri.partition("://")[2].partition("@")[0]
    assert own != parents
    assert project.sql("SELECT 1", uri=uri) == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        project.sql("SELECT 1", uri=uri.replace(own, parents))


def test_the_schema_is_told_as_sql(project: Project) -> None:
    project.sql("CREATE TABLE wonder (n int)")
    project.sql("INSERT INTO wonder VALUES (4711)")
    path = f"{project.path}/branches/{project.root}/schema"
    text = project.host.call("GET", path, query={"db_name": "neondb"})["sql"]
    assert "CREATE TABLE public.wonder" in text
    assert "4711" not in text
    assert project.host.refused("GET", f"{path}?db_name=none")[0] == 404
    assert project.host.refused("GET", path)[0] == 400
