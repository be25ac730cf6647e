"""What no dump holds is said before anything is done, with what helps."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from environments.clients.neon import Address
from environments.database.copy.carry_over import copy_refusal
from tests.database.copy.places import ask, session
from tests.resources.computes import Cluster, own_cluster, run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("surroundings")]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Postgres with a superuser, who may make what can't be carried."""
    with own_cluster(tmp_path_factory.mktemp("elsewhere")) as cluster:
        cluster.start(max_prepared_transactions="2", wal_level="logical")
        with cluster.connect() as connection:
            run(connection, "CREATE TABLE gone AS SELECT 1 AS a")
        yield cluster


@pytest.mark.parametrize(
    ("statements", "reason", "after"),
    [
        (
            ("BEGIN", "UPDATE gone SET a = 2", "PREPARE TRANSACTION 'waiting'"),
            "prepared transactions \\(waiting\\)",
            "ROLLBACK PREPARED 'waiting'",
        ),
        (
            ("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')",),
            "logical replication slots \\(feed\\) point",
            "SELECT pg_drop_replication_slot('feed')",
        ),
        (
            ("CREATE EXTENSION postgres_fdw", "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw"),
            "servers \\(far\\)",
            "DROP EXTENSION postgres_fdw CASCADE",
        ),
    ],
)
def test_what_no_dump_holds_is_refused_before_anything_is_done(
    elsewhere: Cluster, target: Address, statements: tuple[str, ...], reason: str, after: str
) -> None:
    with elsewhere.connect() as connection, session(target) as owner:
        for statement in statements:
            run(connection, statement)
        assert re.search(reason, copy_refusal(connection, owner, 18))
        run(connection, after)
    assert ask(target, "SELECT count(*) FROM pg_class WHERE relname = 'gone'") == [(0,)]


def test_an_object_that_the_owner_cannot_read_is_refused(elsewhere: Cluster) -> None:
    with elsewhere.connect() as connection:
        run(connection, "CREATE ROLE plain LOGIN; CREATE TABLE private (n int)")
        with elsewhere.connect("plain") as plain:
            assert "owner can't read gone, private: GRANT SELECT" in copy_refusal(plain, None, 18)
        run(connection, "GRANT SELECT ON gone, private TO plain")
        with elsewhere.connect("plain") as plain:
            assert copy_refusal(plain, None, 18) == ""
        run(connection, "DROP OWNED BY plain; DROP ROLE plain; DROP TABLE private")
