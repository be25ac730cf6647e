"""Random histories of a database, and a model of what each acknowledged write means for the count.

Three sessions write to their own rows, so that none waits for another. What a session wrote lies in layers, one for
each savepoint, until its transaction commits. A row is *new* if its last write was acknowledged after the baseline.
"""

# ruff: noqa: S608 - every name in these statements is the tests' own

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from environments.database.provenance import baseline
from environments.database.rows import RowCount, count_rows
from tests.resources.computes import Database, Session, run
from tests.resources.families import FAMILIES, NAMES, SCHEMA

SESSIONS = 3
BASE_ROWS = 12
OLD = 1_000_000
"""Ids from here on are rows that are there from the start: changed and locked, never deleted one by one."""

_BIG_BATCH = 3000

Row = tuple[str, int]


@dataclass
class Writer:
    """One session: whether it is in a transaction, and what it wrote there (True) or deleted (False)."""

    number: int
    connection: Session
    layers: list[dict[Row, bool]] = field(default_factory=list)


class History:
    """A database that things happen to, and what the count of it must say."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.branch, self.endpoint = database.project.root, database.project.endpoint
        self.admin = self._session()
        run(self.admin, SCHEMA)
        self.families = dict(FAMILIES)
        self.names = dict(NAMES)
        self.rows: dict[Row, bool] = {}
        self.rewritten: set[str] = set()
        self.exact = True
        self.baseline = 0
        self.has_begun = False
        self._ids = 0
        self._steps = 0
        for number, family in enumerate(self.families):
            first = OLD + number * BASE_ROWS
            ids = range(first, first + BASE_ROWS)
            self._insert(self.admin, family, list(ids))
            self.rows |= {(family, id_): False for id_ in ids}
        self.writers = [self._writer(number) for number in range(SESSIONS)]

    def take_baseline(self) -> None:
        """Take it in the middle of whatever is under way."""
        self.baseline = int(baseline(self.admin))
        [(end,)] = run(self.admin, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        self.exact = self.baseline == end
        self.has_begun = True

    def do(self, name: str, session: int, family: int, amount: int) -> None:
        """Let one thing happen; one that makes no sense now does nothing."""
        names = list(self.families)
        action: Callable[[Writer, str, int], None] = getattr(self, f"_do_{name}")
        action(self.writers[session], names[family % len(names)], amount)

    def check(self, count: RowCount) -> None:
        """A count may be too high, where tables were rewritten or transactions in flight, and never too low."""
        assert not count.missing
        found = {each.table: each.rows for each in count.tables}
        for family, tables in self.families.items():
            new = sum(1 for (name, _), is_new in self.rows.items() if name == family and is_new)
            counted = sum(found.get(table, 0) for table in tables)
            assert counted >= new, f"{family}: {counted} counted, {new} written"
            if self.exact and family not in self.rewritten:
                assert counted == new, f"{family}: {counted} counted, {new} written, none rewritten"

    def check_adopted(self) -> None:
        """Without a baseline each row that is there counts, whatever was done to its table."""
        count = count_rows(self.admin, 0, 20)
        assert not count.missing
        found = {each.table: each.rows for each in count.tables}
        for family, tables in self.families.items():
            there = sum(1 for name, _ in self.rows if name == family)
            assert sum(found.get(table, 0) for table in tables) == there, family

    def settle(self) -> None:
        """Commit everything that is under way."""
        for writer in self.writers:
            self._do_commit(writer, "", 0)

    def close(self) -> None:
        """End every session."""
        for connection in (self.admin, *(writer.connection for writer in self.writers)):
            connection.close()

    # One session's writes

    def _do_begin(self, writer: Writer, _family: str, _amount: int) -> None:
        if not writer.layers:
            writer.connection.execute("BEGIN")
            writer.layers.append({})

    def _do_commit(self, writer: Writer, _family: str, _amount: int) -> None:
        if writer.layers:
            writer.connection.execute("COMMIT")
            for layer in writer.layers:
                self._acknowledge(layer)
            writer.layers.clear()

    def _do_rollback(self, writer: Writer, _family: str, _amount: int) -> None:
        if writer.layers:
            writer.connection.execute("ROLLBACK")
            writer.layers.clear()

    def _do_savepoint(self, writer: Writer, _family: str, _amount: int) -> None:
        if writer.layers:
            run(writer.connection, f"SAVEPOINT s{len(writer.layers)}")
            writer.layers.append({})

    def _do_release(self, writer: Writer, _family: str, _amount: int) -> None:
        if len(writer.layers) > 1:
            layer = writer.layers.pop()
            run(writer.connection, f"RELEASE SAVEPOINT s{len(writer.layers)}")
            writer.layers[-1] |= layer

    def _do_undo_savepoint(self, writer: Writer, _family: str, _amount: int) -> None:
        if len(writer.layers) > 1:
            writer.layers.pop()
            run(writer.connection, f"ROLLBACK TO SAVEPOINT s{len(writer.layers)}")
            run(writer.connection, f"RELEASE SAVEPOINT s{len(writer.layers)}")

    def _do_insert(self, writer: Writer, family: str, amount: int) -> None:
        size = _BIG_BATCH if amount == 9 else amount + 1
        ids = [self._new_id(writer) for _ in range(size)]
        self._insert(writer.connection, family, ids)
        self._wrote(writer, {(family, id_): True for id_ in ids})

    def _do_update(self, writer: Writer, family: str, amount: int) -> None:
        ids = self._own(writer, family)[: amount + 1]
        writer.connection.execute(
            f"UPDATE {self.names[family]} SET v = v + 1, part = 1 - part WHERE id = ANY(%s)".replace(
                "100%", "100%%"
            ).encode(),
            (ids,),
        )
        self._wrote(writer, {(family, id_): True for id_ in ids})

    def _do_delete(self, writer: Writer, family: str, amount: int) -> None:
        ids = [id_ for id_ in self._own(writer, family) if id_ < OLD][: amount + 1]
        statement = f"DELETE FROM {self.names[family]} WHERE id = ANY(%s)".replace("100%", "100%%")
        writer.connection.execute(statement.encode(), (ids,))
        self._wrote(writer, {(family, id_): False for id_ in ids}, deleted=True)

    def _do_lock(self, writer: Writer, family: str, amount: int) -> None:
        """Lock rows that others may lock or change at the same time: multixacts, and no write."""
        mode = "KEY SHARE" if amount % 2 else "SHARE"
        mine = f"AND id % {SESSIONS} = {writer.number}" if mode == "SHARE" else ""
        run(writer.connection, f"SELECT FROM {self.names[family]} WHERE id >= {OLD} {mine} FOR {mode}")

    # What a migration, an operator or the server does; locks that the writers would hold are settled first

    def _do_vacuum(self, _writer: Writer, family: str, amount: int) -> None:
        run(self.admin, f"VACUUM {'(FREEZE)' if amount % 2 else ''} {self.names[family]}")

    def _do_vacuum_full(self, _writer: Writer, family: str, _amount: int) -> None:
        self.settle()
        run(self.admin, f"VACUUM FULL {self.names[family]}")

    def _do_cluster(self, _writer: Writer, family: str, _amount: int) -> None:
        self.settle()
        table = "part_0" if family == "partitioned" else self.names[family]
        [(index,)] = self.admin.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass", (table,)
        ).fetchall()
        run(self.admin, f"CLUSTER {table} USING {index.rpartition('.')[2]}")

    def _do_alter_type(self, _writer: Writer, family: str, amount: int) -> None:
        self.settle()
        kind = "text" if amount % 2 else "bigint"
        run(self.admin, f"ALTER TABLE {self._root(family)} ALTER v TYPE {kind} USING v::{kind}")
        run(self.admin, f"ALTER TABLE {self._root(family)} ALTER v TYPE int USING v::int")
        self.rewritten |= self._relatives(family)

    def _do_volatile_column(self, _writer: Writer, family: str, _amount: int) -> None:
        self.settle()
        self._steps += 1
        run(self.admin, f"ALTER TABLE {self._root(family)} ADD c{self._steps} float DEFAULT random()")
        self.rewritten |= self._relatives(family)

    def _do_constant_column(self, _writer: Writer, family: str, _amount: int) -> None:
        self.settle()
        self._steps += 1
        run(self.admin, f"ALTER TABLE {self._root(family)} ADD c{self._steps} int DEFAULT 1")

    def _do_backfill(self, _writer: Writer, family: str, _amount: int) -> None:
        self.settle()
        only = "" if family == "partitioned" else "ONLY"
        run(self.admin, f"UPDATE {only} {self.names[family]} SET v = v")
        self.rows |= {row: self.has_begun for row in self.rows if row[0] == family}

    def _do_truncate(self, _writer: Writer, family: str, _amount: int) -> None:
        self.settle()
        only = "" if family == "partitioned" else "ONLY"
        run(self.admin, f"TRUNCATE {only} {self.names[family]}")
        self.rows = {row: is_new for row, is_new in self.rows.items() if row[0] != family}

    def _do_detach_and_attach(self, _writer: Writer, _family: str, amount: int) -> None:
        self.settle()
        run(self.admin, "ALTER TABLE partitioned DETACH PARTITION part_0")
        if amount % 2:
            run(self.admin, "VACUUM FREEZE part_0")
        run(self.admin, "ALTER TABLE partitioned ATTACH PARTITION part_0 FOR VALUES IN (0)")

    def _do_copy_freeze(self, writer: Writer, _family: str, amount: int) -> None:
        """A new table, filled with rows that are frozen from their birth."""
        self._steps += 1
        name = f"made_{self._steps}"
        ids = [self._new_id(writer) for _ in range(amount + 1)]
        with self.admin.transaction():
            run(self.admin, f"CREATE TABLE {name} (id int PRIMARY KEY, v int, part int)")
            with self.admin.cursor().copy(f"COPY {name} FROM STDIN (FREEZE)".encode()) as copy:
                for id_ in ids:
                    copy.write_row((id_, 0, 0))
        self.families[name], self.names[name] = [name], name
        self._acknowledge({(name, id_): True for id_ in ids})

    def _do_restart(self, _writer: Writer, _family: str, _amount: int) -> None:
        self.settle()
        History.close(self)  # the sessions, and nothing that a kind of history removes at its end
        project = self.database.project
        project.host.call("POST", f"{project.path}/endpoints/{self.endpoint}/restart")
        self.open()

    # The model's own

    def open(self) -> None:
        """Begin every session anew, after `close`; what was under way is gone."""
        self.admin = self._session()
        self.writers = [self._writer(number) for number in range(SESSIONS)]

    def _session(self) -> Session:
        session = self.database.owner(self.branch)
        session.execute("SET lock_timeout = '3s'")
        return session

    def _writer(self, number: int) -> Writer:
        return Writer(number, self._session())

    def _new_id(self, writer: Writer) -> int:
        self._ids += 1
        return self._ids * SESSIONS + writer.number

    def _insert(self, connection: Session, family: str, ids: list[int]) -> None:
        statement = f"INSERT INTO {self.names[family]} (id, v, part) SELECT id, 0, id % 2 FROM unnest(%s) AS id"
        connection.execute(statement.replace("%", "%%").replace("%%s", "%s").encode(), (ids,))

    def _own(self, writer: Writer, family: str) -> list[int]:
        """The rows of a session that it sees, changed ones included."""
        seen = {row for row in self.rows if row[0] == family and row[1] % SESSIONS == writer.number}
        for layer in writer.layers:
            for row, is_there in layer.items():
                if row[0] == family:
                    (seen.add if is_there else seen.discard)(row)
        return sorted(id_ for _, id_ in seen)

    def _wrote(self, writer: Writer, rows: dict[Row, bool], *, deleted: bool = False) -> None:
        written = dict.fromkeys(rows, not deleted)
        if writer.layers:
            writer.layers[-1] |= written
        else:
            self._acknowledge(written)

    def _acknowledge(self, rows: dict[Row, bool]) -> None:
        for row, is_there in rows.items():
            if is_there:
                self.rows[row] = self.has_begun
            else:
                self.rows.pop(row, None)

    def _relatives(self, family: str) -> set[str]:
        return {"plain", "child"} if family in ("plain", "child") else {family}

    def _root(self, family: str) -> str:
        """The table whose columns a migration changes: a child has its parent's."""
        return "plain" if family == "child" else self.names[family]


ACTIONS: list[str] = sorted(name.removeprefix("_do_") for name in vars(History) if name.startswith("_do_"))
Step = tuple[str, int, int, int]
