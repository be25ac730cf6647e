"""What a login lost against another one, asked of a real Postgres: each kind of loss, and what is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from environments.clients.postgres import connected
from environments.database.app_role import grant_rows
from environments.database.lost_rights import Comparison, compare, compare_migrated, listed
from environments.database.rights import ObjectRights, Rights, read_rights
from environments.ids import RoleName
from tests.resources.computes import OWNER, Database, Session, run

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(database: Database, owner: Session) -> Database:
    """A shop with five orders, and the app's login there."""
    run(owner, "CREATE TABLE orders (id int PRIMARY KEY, tenant text); CREATE TABLE notes (id serial)")
    run(owner, "INSERT INTO orders SELECT n, 'a' FROM generate_series(1, 5) n")
    run(owner, "CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM orders'")
    database.make_app(owner)
    return database


@pytest.fixture
def keeper(shop: Database, owner: Session) -> Iterator[RoleName]:
    """Another role that owns things in the database."""
    name = RoleName(f"{shop.role}_keeper")
    run(owner, f"CREATE ROLE {name}; GRANT {name} TO {OWNER} WITH INHERIT FALSE")
    run(owner, f"GRANT CREATE ON DATABASE {shop.name} TO {name}; GRANT CREATE ON SCHEMA public TO {name}")
    yield name
    run(owner, f"SET ROLE {name}; DROP OWNED BY {name}")


def rights(database: Database, role: RoleName | None = None, *, opened: bool = False) -> Rights:
    with connected(database.project.uri(database=database.name)) as connection:
        return read_rights(connection, role or database.role, opened=opened)


def lost(database: Database, before: Rights | None) -> Comparison:
    return compare(before, rights(database), rights(database, OWNER), was="prod-v1", now="prod-v2")


def names(found: Comparison) -> list[str]:
    return [loss.name for loss in found.losses]


def one(found: Rights, name: str) -> ObjectRights:
    return next(each for each in found.objects if each.name == name)


def test_a_login_as_we_make_it_lost_nothing_against_itself_nor_against_the_owner(shop: Database) -> None:
    whole = rights(shop)
    assert one(whole, "public.orders").may == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert one(whole, "public.notes_id_seq").may == {"USAGE", "SELECT"}
    assert lost(shop, whole) == Comparison()
    assert lost(shop, None) == Comparison()


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (
            "REVOKE DELETE ON orders FROM {role}",
            "public.orders",
            (
                "{role} on prod-v2 can't DELETE public.orders, which {role} on prod-v1 can; as its owner neondb_owner, "
                "run GRANT DELETE ON public.orders TO {role}"
            ),
        ),
        (
            "REVOKE SELECT ON orders FROM {role}; GRANT SELECT (id) ON orders TO {role}",
            "public.orders",
            "can't SELECT public.orders",
        ),
        ("REVOKE USAGE ON SEQUENCE notes_id_seq FROM {role}", "public.notes_id_seq", "can't use sequence public.notes"),
        ("REVOKE EXECUTE ON FUNCTION total() FROM PUBLIC", "public.total()", "can't EXECUTE public.total()"),
        (
            "REVOKE USAGE ON SCHEMA public FROM PUBLIC, {role}",
            "public",
            "can't use schema public, which {role} on prod-v1 can",
        ),
        (
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
            "public.orders",
            (
                "can't SELECT, INSERT, UPDATE, DELETE public.orders, which {role} on prod-v1 can: row-level "
                "security is on and has no policy for it; as its owner neondb_owner, make a policy"
            ),
        ),
        (
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (tenant = current_user)",
            "public.orders",
            "sees none of the rows of public.orders (row-level security hides them); {role} on prod-v1 sees them",
        ),
        (
            (
                "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING "
                "(tenant = current_setting('app.tenant'))"
            ),
            "public.orders",
            'sees none of the rows of public.orders (unrecognized configuration parameter "app.tenant")',
        ),
        (
            "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders FOR SELECT USING (true)",
            "public.orders",
            "can't INSERT, UPDATE, DELETE public.orders",
        ),
        (
            "ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON notes TO {owner} USING (true)",
            "public.notes",
            "row-level security is on and has no policy for it",
        ),
    ],
)
def test_what_breaks_an_app_is_a_loss_with_its_remedy(
    shop: Database, owner: Session, change: str, name: str, said: str
) -> None:
    before = rights(shop)
    run(owner, change.format(role=shop.role, owner=OWNER))
    found = lost(shop, before)
    assert names(found) == [name]
    assert said.format(role=shop.role) in str(found.losses[0])


def test_the_remedies_that_are_named_give_it_back(shop: Database, owner: Session) -> None:
    before = rights(shop)
    run(owner, f"REVOKE DELETE ON orders FROM {shop.role}; ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
    found = lost(shop, before)
    assert names(found) == ["public.notes", "public.orders"]
    run(owner, found.losses[1].remedy.partition("run ")[2])
    run(owner, found.losses[0].remedy.partition("for all of them: ")[2].partition("), or")[0])
    assert lost(shop, before).losses == ()


def test_a_membership_that_is_gone_is_a_loss_also_of_a_role_that_is_not_there(shop: Database, owner: Session) -> None:
    tenant = RoleName(f"{shop.role}_tenant")
    run(owner, f"CREATE ROLE {tenant}; GRANT {tenant} TO {shop.role}")
    before = rights(shop)
    run(owner, f"DROP ROLE {tenant}")
    (loss,) = lost(shop, before).losses
    assert str(loss) == (
        f"{shop.role} on prod-v2 can't SET ROLE {tenant}, which {shop.role} on prod-v1 can; as the role that "
        f"administers {tenant}, run GRANT {tenant} TO {shop.role}"
    )


def test_a_table_of_another_owner_that_the_app_can_not_use_is_a_loss_against_the_owner_who_can(
    shop: Database, owner: Session, keeper: RoleName
) -> None:
    before = rights(shop)
    run(owner, f"SET ROLE {keeper}; CREATE TABLE ledger (id int); RESET ROLE")
    run(owner, f"SET ROLE {keeper}; CREATE SCHEMA audit; CREATE TABLE audit.log (id int); RESET ROLE")
    for was in (None, before):
        grant_rows_as_app_login_does(shop)
        found = lost(shop, was)
        assert names(found) == ["audit", "public.ledger"], "what is in a schema out of reach is not named again"
        assert f"which the owner {OWNER} can; as its owner {keeper}, run GRANT" in str(found.losses[1])


def grant_rows_as_app_login_does(database: Database) -> None:
    with connected(database.project.uri(database=database.name)) as connection:
        grant_rows(connection, database.role, database.name, OWNER)


def test_what_the_login_before_could_not_do_either_is_no_loss(shop: Database, owner: Session, keeper: RoleName) -> None:
    run(owner, f"SET ROLE {keeper}; CREATE TABLE ledger (id int); RESET ROLE")
    run(owner, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (tenant = current_user)")
    assert lost(shop, rights(shop)) == Comparison()


def test_a_table_that_only_one_branch_has_and_an_empty_one_whose_policies_hide_nothing_are_no_losses(
    shop: Database, owner: Session
) -> None:
    run(owner, "CREATE TABLE gone (id int); CREATE TABLE empty (id int, tenant text)")
    before = rights(shop)
    run(owner, "DROP TABLE gone; CREATE TABLE made (id int); ALTER TABLE empty ENABLE ROW LEVEL SECURITY")
    run(owner, "CREATE POLICY p ON empty USING (tenant = current_user)")
    found = lost(shop, before)
    assert found.losses == ()
    assert found.notes == (
        (
            f"row-level security decides from now on which rows of public.empty {shop.role} on prod-v2 sees, "
            "which is empty"
        ),
    )


def test_rows_behind_the_same_policy_as_before_where_there_were_none_are_told_and_refuse_nothing(
    shop: Database, owner: Session
) -> None:
    """A policy that asks for a tenant's setting shows no row to a look without one."""
    run(owner, "CREATE TABLE visits (id int, tenant text); ALTER TABLE visits ENABLE ROW LEVEL SECURITY")
    run(owner, "CREATE POLICY p ON visits USING (tenant = current_setting('app.tenant', true))")
    before = rights(shop)
    run(owner, "INSERT INTO visits VALUES (1, 'a')")
    found = lost(shop, before)
    assert found.losses == ()
    assert found.notes[0].endswith("sees none of the rows of public.visits; whether it saw any before is not known")


def test_policies_that_show_some_rows_are_told_and_refuse_nothing(shop: Database, owner: Session) -> None:
    before = rights(shop)
    run(owner, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (id < 3)")
    found = lost(shop, before)
    assert found.losses == ()
    assert "sees, and it sees some" in found.notes[0]


def test_a_policy_that_takes_too_long_to_show_a_row_counts_as_one_that_shows_none(
    shop: Database, owner: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("environments.database.rights._LOOK_SECONDS", 1)
    before = rights(shop)
    run(owner, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    run(owner, "CREATE POLICY p ON orders USING (pg_sleep(3) IS NULL)")
    assert "(it saw none within 1 s)" in str(lost(shop, before).losses[0])


def test_a_look_writes_nothing_even_through_a_policy(shop: Database, owner: Session) -> None:
    run(owner, "CREATE TABLE looks (at timestamptz); GRANT INSERT ON looks TO PUBLIC")
    run(
        owner,
        "CREATE FUNCTION noted() RETURNS boolean LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO looks VALUES (now()); RETURN true; END'",
    )
    run(owner, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders USING (noted())")
    assert "read-only transaction" in one(rights(shop), "public.orders").failed
    assert run(owner, "SELECT count(*) FROM looks") == [(0,)]


def test_a_branch_that_is_still_closed_is_compared_as_it_will_be_once_it_is_open(
    shop: Database, owner: Session, keeper: RoleName
) -> None:
    whole = rights(shop)
    run(owner, f"REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM {shop.role}")
    assert "INSERT" not in one(rights(shop), "public.orders").may
    assert rights(shop, opened=True) == whole
    run(owner, f"SET ROLE {keeper}; CREATE TABLE ledger (id int); RESET ROLE")
    assert one(rights(shop, opened=True), "public.ledger").may == frozenset(), "it isn't the owner's to grant"


def test_a_login_that_is_not_made_yet_may_do_what_it_will_be_given(shop: Database, keeper: RoleName) -> None:
    del keeper
    future = rights(shop, RoleName("app_prod_7"), opened=True)
    assert not future.exists
    assert one(future, "public.orders").may == {"SELECT", "INSERT", "UPDATE", "DELETE"}


def test_extensions_partitions_and_identity_columns_are_nobodys_loss(shop: Database, owner: Session) -> None:
    run(owner, "CREATE EXTENSION pg_stat_statements; CREATE TABLE days (day int) PARTITION BY LIST (day)")
    run(owner, "CREATE TABLE day_1 PARTITION OF days FOR VALUES IN (1)")
    run(owner, "CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY)")
    known = {each.name for each in rights(shop).objects}
    assert "public.days" in known
    assert not known & {"public.day_1", "public.pg_stat_statements", "public.numbered_id_seq"}


def test_names_that_need_quotes_are_named_as_sql_has_them(shop: Database, owner: Session) -> None:
    run(
        owner,
        'CREATE SCHEMA "My shop"; CREATE TABLE "My shop"."Ord""ers" (id int); INSERT INTO "My shop"."Ord""ers" '
        "VALUES (1)",
    )
    grant_rows_as_app_login_does(shop)
    before = rights(shop)
    run(
        owner,
        'ALTER TABLE "My shop"."Ord""ers" ENABLE ROW LEVEL SECURITY; '
        'CREATE POLICY p ON "My shop"."Ord""ers" USING (false)',
    )
    found = lost(shop, before)
    assert names(found) == ['"My shop"."Ord""ers"']
    assert found.refused(['"My shop"."Ord""ers"']) == found.refused(['"My shop"']) == ()


def test_what_the_stack_file_lists_is_told_in_place_of_refused(shop: Database, owner: Session) -> None:
    before = rights(shop)
    run(owner, f"REVOKE DELETE ON orders FROM {shop.role}; REVOKE EXECUTE ON FUNCTION total() FROM PUBLIC")
    found = lost(shop, before)
    assert listed(found.losses).endswith(
        "If the app can do without: safety.fewer_rights: [public.orders, 'public.total()']"
    )
    assert [each.name for each in found.refused(["public.orders"])] == ["public.total()"]
    assert found.refused(["public"]) == ()
    (told,) = found.told(["public.orders"])
    assert told.endswith("(safety.fewer_rights allows it)")


MIGRATIONS = {
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY": ["public.orders"],
    "REVOKE INSERT ON orders FROM {role}": ["public.orders"],
    "CREATE SCHEMA hidden; REVOKE USAGE ON SCHEMA hidden FROM {role}; ALTER TABLE orders SET SCHEMA hidden": [
        "hidden.orders"
    ],
    "ALTER TABLE orders RENAME TO purchases; REVOKE SELECT ON purchases FROM {role}": ["public.purchases"],
    "ALTER TABLE orders RENAME TO purchases": [],
    "DROP TABLE orders CASCADE": [],
    "CREATE TABLE more (id int)": [],
}


@pytest.mark.parametrize("migration", MIGRATIONS)
def test_a_migration_that_takes_rights_or_rows_from_the_app_is_seen_by_the_tables_id(
    shop: Database, owner: Session, migration: str
) -> None:
    before = rights(shop)
    run(owner, migration.format(role=shop.role))
    found = compare_migrated(before, rights(shop), rights(shop, OWNER))
    assert names(found) == MIGRATIONS[migration]
    assert found.notes == ()


def test_a_table_that_moved_out_of_reach_is_named_with_where_it_was_and_is_not_accepted_with_its_new_schema(
    shop: Database, owner: Session
) -> None:
    run(owner, "CREATE SCHEMA hidden")
    grant_rows_as_app_login_does(shop)
    before = rights(shop)
    run(owner, f"REVOKE USAGE ON SCHEMA hidden FROM {shop.role}; ALTER TABLE orders SET SCHEMA hidden")
    found = compare_migrated(before, rights(shop), rights(shop, OWNER))
    assert names(found) == ["hidden", "hidden.orders"]
    assert "hidden.orders (public.orders until now)" in str(found.losses[1])
    assert [loss.name for loss in found.refused(["hidden"])] == ["hidden.orders"]


def test_a_table_that_a_migration_makes_and_the_app_can_not_use_is_told(shop: Database, owner: Session) -> None:
    before = rights(shop)
    run(owner, f"CREATE TABLE secrets (id int); REVOKE ALL ON secrets FROM {shop.role}")
    found = compare_migrated(before, rights(shop), rights(shop, OWNER))
    assert found.losses == ()
    assert found.notes == (
        (
            f"public.secrets is new, and {shop.role} can't SELECT, INSERT, UPDATE, DELETE there: as its owner {OWNER}, "
            f"run GRANT SELECT, INSERT, UPDATE, DELETE ON public.secrets TO {shop.role}"
        ),
    )
