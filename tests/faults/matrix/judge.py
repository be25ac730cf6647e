"""One point: a world, an update, a fault; then what a user does about it, and whether everything is as it must be."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg

from environments.errors import EnvironmentsError
from localcloud.program import CommandError
from tests.e2e.conftest import World
from tests.e2e.visitors import Visitors, Writers
from tests.faults.matrix.scenarios import OURS, Scenario
from tests.faults.matrix.snapshots import Site
from tests.faults.matrix.victims import Command
from tests.faults.matrix.wire import Chosen, Wire

BY_ITSELF, BY_UP, BY_RECOVERY, NOT, UNMET = "by itself", "by up", "by recover and up", "not", "not met"
COMMAND_SECONDS = 400.0
"""After which a command hangs: two requests that stay without an answer are over by then."""
_SAID = 2000
_READS_PER_SECOND = 10
_WRITES_EVERY = 0.15
_CALM_SECONDS = 20.0
"""How long the app may take to answer again after a kill of what it runs on."""


@dataclass
class Result:
    """What became of one point."""

    verdict: str = NOT
    struck: int = 0
    seconds: float = 0.0
    reads: int = 0
    failed_reads: int = 0
    writes: int = 0
    failed_writes: int = 0
    lost_writes: int = 0
    longest_gap: float = 0.0
    """The longest time in seconds without an acknowledged write."""
    left_processes: int = 0
    hung: int = 0
    wrong: list[str] = field(default_factory=list)
    """What was not as it must be, after each attempt."""
    said: list[str] = field(default_factory=list)
    """What the commands that failed said last."""


@dataclass
class Trial:
    """A scenario's world, with the wire that its commands go through."""

    world: World
    site: Site
    scenario: Scenario
    wire: Wire
    command: Command
    result: Result
    watch_recovery: Callable[[], None] = lambda: None
    """Called when recovery begins."""

    def attempt(self, *commands: tuple[str, ...]) -> bool:
        """Run commands until one fails; tell whether none did."""
        for command in commands:
            process = subprocess.Popen(
                command,
                cwd=self.world.folder,
                env=self.world.environment | self.command.env | self.wire.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            self.command.pid = process.pid
            said = self._output(process)
            self.result.left_processes += self.command.left()
            self.command.survivors.clear()
            if process.returncode:
                self.result.said.append(f"{' '.join(command[-4:])} ended with {process.returncode}: {said[-_SAID:]}")
                return False
        return True

    def _output(self, process: subprocess.Popen[str]) -> str:
        try:
            return process.communicate(timeout=COMMAND_SECONDS)[0]
        except subprocess.TimeoutExpired:
            self.result.hung += 1
            self.command.kill(lambda _: True)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return f"(hung for {COMMAND_SECONDS:g} s) {process.communicate()[0]}"

    def is_whole(self) -> bool:
        """Tell whether the goal is reached and nothing is there twice; note what isn't so."""
        try:
            wrong = [*self._wrong()]
        except (AssertionError, CommandError, EnvironmentsError, KeyError, OSError, StopIteration, ValueError) as error:
            wrong = [f"{type(error).__name__}: {str(error)[-_SAID:]}"]
        except (httpx.HTTPError, psycopg.Error) as error:
            wrong = [f"{type(error).__name__}: {error}"]
        self.result.wrong += wrong
        return not wrong

    def _wrong(self) -> Iterator[str]:
        if self.site.domain:
            self._wait_for_calm()
        if goal := self.scenario.goal(self.world):
            yield goal
        yield from _twice(self.world)
        domain = self.site.domain or (
            self.world.outputs("prod")["domain"] if self.scenario.name == "first up of prod" else ""
        )
        if domain and (status := self.world.post("/orders", domain)) != httpx.codes.CREATED:
            yield f"a write is answered {status}"
        stack = self.scenario.stack
        self.world.pulumi("preview", "-s", stack, "--expect-no-changes")

    def _wait_for_calm(self) -> None:
        deadline = time.monotonic() + _CALM_SECONDS
        headers = {"Host": self.site.domain}
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.world.cloud.vercel_edge_url}/health", headers=headers, timeout=5).is_success:
                    return
            time.sleep(0.1)


def tried(
    world: World, site: Site, scenario: Scenario, chosen: Chosen, command: Command, *, kills_recovery: bool = False
) -> tuple[Result, Wire]:
    """Run a scenario in which a fault comes, and what a user does about it until it converges."""
    result = Result()
    wire = Wire(world.cloud, chosen)
    command.state = world.cloud.state
    with wire.strung():
        trial = Trial(world, site, scenario, wire, command, result)
        began = time.monotonic()
        with _visited(world, site, result) as acknowledged:
            result.verdict = _verdict(trial, kills_recovery=kills_recovery)
            result.seconds = round(time.monotonic() - began, 1)
        result.struck = wire.struck
        if not wire.struck and result.verdict == BY_ITSELF:
            result.verdict = UNMET
        result.lost_writes = len(_lost(world, site, acknowledged))
        if result.lost_writes:
            result.verdict = NOT
            result.wrong.append(f"{result.lost_writes} acknowledged writes are lost")
    return result, wire


def _verdict(trial: Trial, *, kills_recovery: bool) -> str:
    ups = trial.scenario.commands
    recover = (*OURS, "recover", "-s", trial.scenario.stack)
    if trial.attempt(*ups) and trial.is_whole():
        return BY_ITSELF
    if kills_recovery:
        trial.attempt(recover)
    elif trial.attempt(*ups) and trial.is_whole():
        return BY_UP
    if trial.attempt(recover) and trial.attempt(*ups) and trial.is_whole():
        return BY_RECOVERY
    return NOT


@contextmanager
def _visited(world: World, site: Site, result: Result) -> Iterator[list[tuple[str, int]]]:
    if not site.domain:
        yield []
        return
    readers = Visitors(world.cloud.vercel_edge_url, site.domain, per_second=_READS_PER_SECOND)
    writers = Writers(world.cloud.vercel_edge_url, site.domain, pause=_WRITES_EVERY)
    acknowledged: list[tuple[str, int]] = []
    with readers.visiting(), writers.visiting():
        yield acknowledged
    acknowledged += writers.acknowledged
    result.reads = sum(readers.answers.values())
    result.failed_reads = result.reads - readers.answers["200"]
    result.writes = sum(writers.answers.values())
    result.failed_writes = result.writes - writers.answers["201"]
    gaps = [later - sooner for sooner, later in itertools.pairwise(sorted(writers.moments))]
    result.longest_gap = round(max(gaps, default=0.0), 2)


def _lost(world: World, site: Site, acknowledged: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the acknowledged orders that are not on the branch that acknowledged them."""
    kept: dict[str, set[int]] = {}
    for branch in {branch for branch, _ in acknowledged}:
        query = {"branch_id": branch, "database_name": "neondb", "role_name": "neondb_owner"}
        answer = _ask_neon(world, f"/projects/{site.neon}/connection_uri", **query)
        with psycopg.connect(answer["uri"]) as connection:
            kept[branch] = {int(row[0]) for row in connection.execute("SELECT id FROM orders")}
    return [written for written in acknowledged if written[1] not in kept[written[0]]]


def _ask_neon(world: World, path: str, **query: str) -> Any:
    headers = {"Authorization": f"Bearer {world.cloud.neon_api_key}"}
    answer = httpx.get(f"{world.cloud.neon_api_host}{path}", headers=headers, params=query, timeout=60)
    return answer.raise_for_status().json()


def _ask_vercel(world: World, path: str) -> Any:
    headers = {"Authorization": f"Bearer {world.cloud.vercel_api_token}"}
    return httpx.get(f"{world.cloud.vercel_api_url}{path}", headers=headers, timeout=60).raise_for_status().json()


def _twice(world: World) -> Iterator[str]:
    """Yield what is in the clouds more than once, or left over."""
    projects = _ask_neon(world, "/projects")["projects"]
    there: list[tuple[str, ...]] = [("Neon project", each["name"]) for each in projects]
    for project in projects:
        names = {
            each["id"]: each["name"] for each in _ask_neon(world, f"/projects/{project['id']}/branches")["branches"]
        }
        there += [("branch", project["id"], name) for name in names.values()]
        for compute in _ask_neon(world, f"/projects/{project['id']}/endpoints")["endpoints"]:
            there.append(("compute of", project["id"], names[compute["branch_id"]], compute["type"]))
        for name in names.values():
            if name.startswith("rehearsal-of-"):
                yield f"{name} is left over"
    sites = _ask_vercel(world, "/v9/projects")["projects"]
    there += [("Vercel project", each["name"]) for each in sites]
    for site in sites:
        for variable in _ask_vercel(world, f"/v10/projects/{site['id']}/env")["envs"]:
            for target in variable["target"]:
                there.append(("variable", variable["key"], target, variable.get("gitBranch") or ""))
    for what, times in Counter(there).items():
        if times > 1:
            yield f"{' '.join(what)} is there {times} times"
