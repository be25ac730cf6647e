"""Projects of an older Postgres beside those of the default one: the older is Debian's, which has to be installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.neon.installation import Installation, InstallationError
from localcloud.neon.installations import Installations
from tests.localcloud.neon.hosting import Host, Project

VERSION = "SELECT current_setting('server_version_num')::int / 10000"
WITH_ROWS = "SELECT sum(n), current_setting('server_version_num')::int / 10000 FROM t"


def older_version() -> int:
    """The oldest one that is installed beside the default one; a missing one fails, it doesn't skip."""
    found = Installations.find()
    oldest = next(iter(found.by_major))
    assert oldest < found.default.major, "an older Postgres is needed: apt-get install postgresql (see .ci/run)"
    return oldest


@pytest.fixture(scope="module")
def older(host: Host) -> Iterator[Project]:
    """A project of the older version, with a row in it."""
    body = {"project": {"name": "older", "pg_version": older_version()}}
    made = Project(host, host.call("POST", "/projects", body, status=201))
    made.sql("CREATE TABLE t AS SELECT 1 AS n")
    yield made
    host.call("DELETE", made.path)


@pytest.mark.slow
def test_a_project_runs_on_the_version_that_it_was_made_with_and_so_do_its_branches(older: Project) -> None:
    assert older.answer["project"]["pg_version"] == older_version()
    assert older.sql(VERSION) == [(older_version(),)]
    child = older.branch("child")["branch"]["id"]
    assert older.sql(WITH_ROWS, child) == [(1, older_version())]
    assert older.sql("SELECT current_setting('neon.branch_id')", child) == [(child,)]


@pytest.mark.slow
def test_an_older_projects_branch_can_be_copied_from_a_stopped_parent_and_from_its_past(older: Project) -> None:
    older.suspend()
    stopped = older.branch("of-stopped")["branch"]["id"]
    assert older.sql("SELECT n FROM t", stopped) == [(1,)]
    moment = older.moment()
    older.sql("INSERT INTO t VALUES (2)")
    past = older.branch("past", parent_timestamp=moment)["branch"]["id"]
    assert older.sql(WITH_ROWS, past) == [(1, older_version())]


@pytest.mark.slow
def test_an_older_projects_branch_can_have_its_schema_alone(older: Project) -> None:
    empty = older.branch("schema", init_source="schema-only")["branch"]["id"]
    assert older.sql(WITH_ROWS, empty) == [(None, older_version())]


@pytest.mark.slow
def test_the_versions_survive_a_restart_side_by_side(tmp_path: Path) -> None:
    host = Host(tmp_path / "state", tmp_path / "log").start()
    try:
        made = [
            Project(host, host.call("POST", "/projects", {"project": {"name": "v", "pg_version": version}}, status=201))
            for version in (older_version(), Installations.find().default.major)
        ]
        host.end()
        host.start()
        assert [project.sql(VERSION)[0][0] for project in made] == [older_version(), Installations.find().default.major]
    finally:
        host.end()


def test_a_version_that_is_not_installed_is_refused_with_those_that_are(host: Host) -> None:
    status, text = host.refused("POST", "/projects", {"project": {"name": "v", "pg_version": 12}})
    assert status == 400
    assert f"has Postgres {', '.join(map(str, Installations.find().by_major))}, choose one" in text


def test_older_versions_are_those_of_debians_folders_that_hold_programs(tmp_path: Path) -> None:
    for name in ("13", "15", "16", "99"):
        (tmp_path / name / "bin").mkdir(parents=True)
    for name in ("13", "15", "99"):
        (tmp_path / name / "bin" / "initdb").touch()
    found = Installations.find(others=tmp_path)
    assert [*found.by_major] == [15, found.default.major]


def test_a_data_directory_whose_version_was_removed_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("15\n")
    default = Installation.find()
    with pytest.raises(InstallationError, match="install Debian's postgresql-15"):
        Installations(default, {default.major: default}).of(tmp_path)
