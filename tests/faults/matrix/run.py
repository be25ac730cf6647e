"""Runs points: records what a scenario asks without a fault, and lets one request of it meet one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.faults.matrix.faults import FAULTS
from tests.faults.matrix.judge import NOT, Result, tried
from tests.faults.matrix.points import Point
from tests.faults.matrix.scenarios import SCENARIOS, Scenario, built
from tests.faults.matrix.snapshots import Snapshots
from tests.faults.matrix.victims import EVERYTHING, RECOVERY, VICTIMS, Command, Victim
from tests.faults.matrix.wire import Asked, Conduct, Exchange
from tests.warm import starts

RECOVERY_REQUESTS = 4
"""Recovery is killed at one of its first requests: which one, the point says."""


class UnhealthyScenarioError(Exception):
    """A scenario doesn't reach its goal without any fault: nothing that it shows means anything."""


def recorded(snapshots: Snapshots, scenario: Scenario) -> list[Asked]:
    """Return the requests of a scenario's commands. Raises UnhealthyScenarioError."""
    built(snapshots, scenario.name)
    world, site = snapshots.restore(scenario.name)
    result, wire = tried(world, site, scenario, lambda _: None, Command())
    if result.wrong or result.said:
        raise UnhealthyScenarioError(f"{scenario.name}: {result}")
    return wire.requests


def read_recordings(file: Path) -> dict[str, list[Asked]]:
    """Return what was recorded before, by scenario."""
    if not file.exists():
        return {}
    return {name: [Asked(*each) for each in requests] for name, requests in json.loads(file.read_text()).items()}


def write_recordings(file: Path, recordings: dict[str, list[Asked]]) -> None:
    """Keep them: the points of a run that goes on must be the same."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({name: [astuple(each) for each in found] for name, found in recordings.items()}))


def ran(snapshots: Snapshots, point: Point) -> Result:
    """Run one point from a fresh copy of its scenario's world."""
    (scenario,) = (each for each in SCENARIOS if each.name == point.scenario)
    built(snapshots, scenario.name)
    world, site = snapshots.restore(scenario.name)
    # What is killed must be the engine's own child.
    kills = point.fault not in {fault.name for fault in FAULTS}
    command = Command(env={} if kills else starts.warm(world.environment))
    plan = Plan(point, command)
    return tried(world, site, scenario, plan.chosen, command, kills_recovery=plan.kills_recovery)[0]


@dataclass
class Plan:
    """What comes at which request: one fault; and where recovery is killed, a second one at a request of recovery's."""

    point: Point
    command: Command
    _struck: bool = False
    _wait: int = 0

    @property
    def kills_recovery(self) -> bool:
        """Whether recovery dies on its way."""
        return self.point.fault == RECOVERY

    def chosen(self, asked: Asked) -> Conduct | None:
        """Return what becomes of a request, None if nothing does."""
        if not self._struck:
            if asked != self.point.asked:
                return None
            self._struck, self._wait = True, 1 + sum(map(ord, self.point.id)) % RECOVERY_REQUESTS
            return _conduct(self.point, self.command)
        # Once the update is killed the requests are recovery's.
        self._wait -= 1
        return _kill(EVERYTHING, self.command) if self.kills_recovery and self._wait == 0 else None


def _conduct(point: Point, command: Command) -> Conduct:
    if fault := next((each for each in FAULTS if each.name == point.fault), None):
        return fault.conduct
    return _kill(next((each for each in VICTIMS if each.name == point.fault), EVERYTHING), command)


def _kill(victim: Victim, command: Command) -> Conduct:
    def conduct(exchange: Exchange) -> None:
        reply = exchange.forward()
        victim.strike(command)
        exchange.answer(reply) if victim.replies else exchange.drop()

    return conduct


def is_fine(results: Sequence[Result]) -> bool:
    """Whether each point converged and nothing was lost."""
    return all(result.verdict != NOT and not result.lost_writes for result in results)
