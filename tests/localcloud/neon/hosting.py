"""A cloud in a process of its own as the tests see it: over HTTP, over SQL, and as processes and files."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

API_KEY = "napi_key_of_the_tests"
ROOT = Path(__file__).resolve().parents[3]

Json = dict[str, Any]
Query = dict[str, str]


@dataclass
class Host:
    """One process that runs a NeonCloud over a state folder."""

    state: Path
    log: Path
    api_port: int = 0
    proxy_port: int = 0
    process: subprocess.Popen[str] | None = None
    api: httpx.Client = field(default_factory=httpx.Client)

    def start(self) -> Self:
        """Return when both ports answer."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(Path(__file__).with_name("host.py")),
                    str(self.state),
                    str(self.api_port),
                    str(self.proxy_port),
                ],
                env=os.environ | {"NEON_API_KEY": API_KEY, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.api_port, self.proxy_port = json.loads(line)
        self.api.close()
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.api_port}/api/v2",
            headers={"Authorization": f"Bearer {API_KEY}"},
            timeout=60,
        )
        return self

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the process in this way and wait for it."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(number)
        self.process.wait(60)
        self.process.stdout.close()
        self.api.close()

    def call(
        self, method: str, path: str, body: Json | None = None, *, status: int = 200, query: Query | None = None
    ) -> Json:
        """The JSON of an answer that must have this status."""
        answer = self.api.request(method, path, json=body, params=query)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def refused(self, method: str, path: str, body: Json | None = None) -> tuple[int, str]:
        """Status and text of a refusal, whose body has Neon's shape."""
        answer = self.api.request(method, path, json=body)
        assert answer.is_error, f"{method} {path} was not refused: {answer.text}"
        assert answer.json().keys() == {"request_id", "code", "message"}
        return answer.status_code, answer.json()["message"]

    def postmasters(self) -> list[int]:
        """The processes of Postgres that work in this state folder."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdecimal() and (folder / "cwd").resolve().is_relative_to(self.state.resolve()):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    def has_no_postgres(self) -> bool:
        """Whether none is left."""
        return not self.postmasters()


@dataclass
class Project:
    """A fresh project with the paths and calls that tests need most."""

    host: Host
    answer: Json

    @property
    def path(self) -> str:
        """The project's path."""
        return f"/projects/{self.answer['project']['id']}"

    @property
    def root(self) -> str:
        """The root branch's id."""
        return str(self.answer["branch"]["id"])

    @property
    def endpoint(self) -> str:
        """The id of the root branch's endpoint."""
        return str(self.answer["endpoints"][0]["id"])

    @property
    def bare(self) -> str:
        """The id of the branch without an endpoint, where the project has one."""
        branches = self.host.call("GET", f"{self.path}/branches", query={"search": "bare"})["branches"]
        return str(branches[0]["id"])

    def branch(self, name: str, *, parent: str | None = None, endpoint: bool = True, **fields: Any) -> Json:
        """A new branch, by default with an endpoint."""
        body = {
            "branch": {"name": name, "parent_id": parent or self.root, **fields},
            "endpoints": [{"type": "read_write"}] if endpoint else [],
        }
        return self.host.call("POST", f"{self.path}/branches", body, status=201)

    def suspend(self, endpoint: str | None = None) -> None:
        """Stop the compute of an endpoint, by default the root branch's."""
        self.host.call("POST", f"{self.path}/endpoints/{endpoint or self.endpoint}/suspend")

    def moment(self, branch: str | None = None) -> str:
        """What time it is for Postgres."""
        now = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        return str(self.sql(f"SELECT {now}", branch)[0][0])

    def uri(
        self, branch: str | None = None, role: str = "neondb_owner", database: str = "neondb", *, pooled: bool = False
    ) -> str:
        """What Neon says to connect with."""
        query = {"branch_id": branch or self.root, "role_name": role, "database_name": database}
        query["pooled"] = str(pooled).lower()
        return str(self.host.call("GET", f"{self.path}/connection_uri", query=query)["uri"])

    def sql(self, statement: str, branch: str | None = None, uri: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of one statement, run by the owner unless the URI says otherwise."""
        with psycopg.connect(uri or self.uri(branch), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def state_of(self, endpoint: str) -> str:
        """`active` or `idle`."""
        return str(self.host.call("GET", f"{self.path}/endpoints/{endpoint}")["endpoint"]["current_state"])


def wait_until(condition: Callable[[], bool], seconds: float = 10.0, every: float = 0.02) -> None:
    """Return when the condition, asked for `every` so many seconds, holds; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every)
