"""A database carried over to a newer Postgres: all that a dump holds, exactly, and refused where it can't hold it.

The source is a project of the older Postgres that Debian installs, the copy one of the default version.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from environments.clients.neon import Address
from environments.database.copy import programs
from environments.database.copy.carry_over import CopyError, carry_over, was_cut_short
from environments.database.copy.note import read_note
from environments.database.copy.programs import DumpError, find_tools
from environments.database.rows import count_rows
from environments.ids import BranchId
from localcloud.neon.installations import Installations
from tests.database.copy.places import ask, session, uri
from tests.localcloud.neon.hosting import API_KEY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("surroundings")]


def major(place: Address) -> int:
    with session(place) as connection:
        return connection.info.server_version // 10_000


def test_a_database_is_carried_over_whole_to_a_newer_postgres(source: Address, target: Address) -> None:
    filled = carry_over(source, target)
    assert major(source) < major(target)
    assert filled.rows == 200 + 2000 + 1 + 1 + 1 + 1 + 1
    assert ask(target, "SELECT count(*), sum(paid)::numeric(20, 6) FROM orders") == ask(
        source, "SELECT count(*), sum(paid)::numeric(20, 6) FROM orders"
    )
    assert ask(target, "SELECT nextval('orders_id_seq')") == [(2001,)]
    assert ask(target, "INSERT INTO customers (name) VALUES ('new') RETURNING id") == [(201,)]
    assert ask(target, "SELECT (SELECT count(*) FROM big) > 0, (SELECT count(*) FROM sums)") == [(True, 200)]
    assert ask(target, "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata") == [("a large object",)]
    assert ask(target, "SELECT hash FROM migrations") == [("abc",)], "the database's own search_path came along"


def test_roles_come_along_without_a_login_and_with_exactly_their_privileges(source: Address, target: Address) -> None:
    carry_over(source, target)
    assert ask(target, "SELECT rolcanlogin, rolconfig FROM pg_roles WHERE rolname = 'app'") == [
        (False, ["statement_timeout=7s"])
    ]
    privileges = (
        "SELECT pg_has_role('app', 'readers', 'MEMBER'), has_table_privilege('app', 'orders', 'SELECT'), "
        "has_table_privilege('app', 'orders', 'INSERT'), has_table_privilege('app', 'orders', 'DELETE'), "
        "has_function_privilege('app', 'secret()', 'EXECUTE')"
    )
    assert ask(target, privileges) == ask(source, privileges) == [(True, True, True, False, False)]
    assert ask(target, "SELECT polroles::regrole[]::text FROM pg_policy") == [("{app}",)]


def test_what_is_written_while_it_is_read_counts_from_the_snapshot_on(source: Address, target: Address) -> None:
    with session(source) as writer, session(source) as counting:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO customers (name) VALUES ('under way')")
        filled = carry_over(source, target)
        writer.execute("COMMIT")
        writer.execute("INSERT INTO customers (name) VALUES ('later')")
        count = count_rows(counting, int(filled.copied.fork), 20)
    assert {found.table: found.rows for found in count.tables} == {"customers": 2}
    assert ask(target, "SELECT count(*) FROM customers") == [(200,)]


def test_nothing_of_the_copy_counts_as_its_own_until_somebody_writes_to_it(source: Address, target: Address) -> None:
    filled = carry_over(source, target)
    with session(target) as connection:
        assert count_rows(connection, int(filled.copied.begins), 20).total == 0
        connection.execute("INSERT INTO customers (name) VALUES ('visitor')")
        assert count_rows(connection, int(filled.copied.begins), 20).total == 1


def test_a_copy_is_filled_again_with_what_changed_and_nothing_of_before(source: Address, target: Address) -> None:
    before = carry_over(source, target)
    ask(source, "DELETE FROM orders WHERE id > 10")
    ask(source, "DROP TABLE gone CASCADE")
    again = carry_over(source, target)
    assert ask(target, "SELECT count(*), to_regclass('gone') FROM orders") == [(10, None)]
    assert int(again.copied.fork) > int(before.copied.fork)
    with session(target) as connection:
        assert read_note(connection, target.branch) == again.copied
        assert again.copied.source == source.branch
        assert read_note(connection, BranchId("br-another")) is None


def test_a_copy_that_was_cut_short_is_made_from_the_beginning(
    source: Address, target: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not was_cut_short(target)
    with monkeypatch.context() as patched:
        patched.setattr("environments.database.copy.carry_over.differences", lambda *_: ["a row fell off"])
        with pytest.raises(CopyError, match="may not serve: a row fell off"):
            carry_over(source, target)
    with session(target) as connection:
        assert read_note(connection, target.branch) is None, "what differs is no copy"
    assert was_cut_short(target)
    assert carry_over(source, target).rows == 2205
    assert not was_cut_short(target)


def test_a_branch_that_holds_anything_else_is_not_emptied(source: Address, target: Address) -> None:
    ask(target, "CREATE TABLE precious AS SELECT 1 AS n")
    with pytest.raises(CopyError, match="holds tables already \\(precious"):
        carry_over(source, target)
    assert ask(target, "SELECT n FROM precious") == [(1,)]


def test_a_copy_that_was_written_to_is_not_emptied(source: Address, target: Address) -> None:
    carry_over(source, target)
    ask(target, "INSERT INTO customers (name) VALUES ('visitor')")
    with pytest.raises(CopyError, match=r"1 rows \(customers 1\) were written to .* would be lost"):
        carry_over(source, target)
    assert ask(target, "SELECT count(*) FROM customers WHERE name = 'visitor'") == [(1,)]


def test_an_extension_and_a_physical_slot_are_no_obstacles(source: Address, target: Address) -> None:
    ask(source, "CREATE EXTENSION hstore; SELECT pg_create_physical_replication_slot('s')")
    carry_over(source, target)
    assert ask(target, "SELECT 'a=>1'::hstore -> 'a'") == [("1",)]
    ask(source, "SELECT pg_drop_replication_slot('s')")


def test_rows_do_not_go_to_an_older_version(source: Address, target: Address) -> None:
    with pytest.raises(CopyError, match="go to the same or a newer version"):
        carry_over(target, source)


def test_no_password_and_no_token_reaches_a_command_line(
    source: Address, target: Address, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = Installations.find().default.bin
    for program in ("pg_dump", "pg_restore"):
        script = tmp_path / program
        script.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\nenv >>{tmp_path}/env\nexec {real}/{program} "$@"\n')
        script.chmod(0o700)
    monkeypatch.setenv(programs.FOLDER_VARIABLE, str(tmp_path))
    carry_over(source, target)
    passwords = [psycopg.conninfo.conninfo_to_dict(uri(place))["password"] for place in (source, target)]
    said, env = (tmp_path / "said").read_text(), (tmp_path / "env").read_text()
    assert "--snapshot=" in said
    assert not [password for password in passwords if str(password) in said]
    assert API_KEY not in env


def test_tools_that_are_too_old_are_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(programs.FOLDER_VARIABLE)
    with pytest.raises(DumpError, match=r"pg_restore of Postgres 99 or newer are needed.*postgresql-client-99"):
        find_tools(99)
