"""Neon falls silent while writes wait: it accepts what is sent and never answers. Writes pause for a bounded time."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psycopg
import pytest

from localcloud.cloud import Cloud
from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World
from tests.e2e.visitors import Visitors, Writers
from tests.faults.matrix.wire import Exchange, Wire, carry_out
from tests.localcloud.neon.hosting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WRITE_PAUSE = 6
A_LITTLE = 4.0
"""Seconds: the server may notice only after 5 s that nobody speaks to it, and it does so from its last word on."""
PATIENCE = 120.0
BALLAST = "CREATE TABLE ballast AS SELECT n FROM generate_series(1, 3000000) AS n"
_HELD = "SELECT 1 FROM pg_locks WHERE locktype = 'relation' AND mode = 'ShareLock' AND granted"


@dataclass
class Network:
    """The way to one branch's Postgres, and to Neon's API: open, or silent in both directions without being closed."""

    cloud: Cloud
    branch: str
    silent: threading.Event = field(default_factory=threading.Event)
    fell_silent: float = 0.0
    port: int = 0
    _ends: list[socket.socket] = field(default_factory=list)

    @contextmanager
    def laid(self) -> Iterator[Wire]:
        """Listen until the block ends. Only what the update asks goes this way: the app has its URLs already."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()
            with Wire(self.cloud, lambda asked: self._conduct if asked.service == "neon" else None).strung() as wire:
                yield wire
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def fall_silent(self) -> None:
        self.fell_silent = time.monotonic()
        self.silent.set()

    def _conduct(self, exchange: Exchange) -> None:
        if self.silent.is_set():
            exchange.hold(PATIENCE)
        elif exchange.asked.shape.endswith("/connection_uri"):
            reply = exchange.forward()
            body = json.loads(reply.body)
            if self.branch in exchange.path:
                body["uri"] = body["uri"].replace(f":{self.cloud.ports.postgres}/", f":{self.port}/")
            exchange.answer(replace(reply, body=json.dumps(body).encode()))
        else:
            carry_out(exchange)

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                upstream = socket.create_connection(("127.0.0.1", self.cloud.ports.postgres))
                self._ends += [client, upstream]
                for pair in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.silent.is_set():
                    return  # not even the end of a connection is told
                target.sendall(data)
            if not self.silent.is_set():
                target.shutdown(socket.SHUT_WR)


def test_neon_that_is_silent_behind_the_fence_costs_a_pause_and_the_move_is_undone(world: World) -> None:
    edge, domain = world.cloud.vercel_edge_url, world.outputs("prod")["domain"]
    left = world.outputs("prod")["branches"]["prod-v1"]
    world.sql("prod", "prod-v1", BALLAST)  # the count then takes long enough to be met
    branches = world.setting("prod", "branches") | {"prod-v2": FROM_DEV}
    world.edit("prod", branches=branches, serve="prod-v2", accept={"branch": "prod-v1", "rows": "any"})
    world.edit("prod", safety={"write_pause": WRITE_PAUSE})
    network, readers, writers = Network(world.cloud, left), Visitors(edge, domain), Writers(edge, domain)

    with psycopg.connect(world.owner_url("prod", "prod-v1"), autocommit=True) as watching:

        def watch() -> None:
            wait_until(lambda: watching.execute(_HELD).fetchone() is not None, PATIENCE, every=0.005)
            network.fall_silent()

        watcher = threading.Thread(target=watch)
        with network.laid() as wire, readers.visiting(), writers.visiting():
            watcher.start()
            began = time.monotonic()
            with pytest.raises(CommandError) as failed:
                world.run("pulumi", "up", "-s", "prod", "--yes", "--skip-preview", "--non-interactive", env=wire.env)
            ended = time.monotonic()
            watcher.join()
            time.sleep(1)

    paused = writers.went_on(network.fell_silent + 0.2)
    said = " ".join(str(failed.value).split())
    print(
        f"writes went on after {paused:.1f} s, the update ended {ended - network.fell_silent:.1f} s after the silence"
    )
    assert network.fell_silent > began, "writes waited"
    assert paused < WRITE_PAUSE + A_LITTLE
    assert f"paused for {WRITE_PAUSE} s, which is as long as safety.write_pause allows" in said
    assert set(readers.answers) == {"200"}, readers.failures
    assert set(writers.answers) <= {"201", "503"}, "the app itself gives a write up that has waited for 5 s"
    assert {branch for branch, _ in writers.acknowledged} == {left}
    assert world.serving()["branch"] == "prod-v1"

    world.sql("prod", "prod-v1", "DROP TABLE ballast")
    world.edit("prod", safety=None)
    world.up("prod")
    assert world.serving()["branch"] == "prod-v2"
    kept = {row[0] for row in world.sql("prod", "prod-v1", "SELECT id FROM orders")}
    assert {order for _, order in writers.acknowledged} <= kept
