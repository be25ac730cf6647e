"""A history by its number: edits, faults and kills in the order that its seed gives, under writers, and a judge.

The judge knows each acknowledged write with the branch that acknowledged it, and each branch that may not go. After
each edit, however it ended, the app takes writes, and the domain leads to the branch before or to the one that is
wanted. An edit that failed is repeated without faults, with recovery before it, and then everything is as wanted.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import psycopg

from environments.ids import BranchId, BranchKey, NeonProject, VercelProject
from localcloud.cloud import ROOT, Cloud
from tests.e2e.existing import ask_neon, ask_vercel
from tests.e2e.visitors import Visitors, Writers
from tests.faults.histories.life import End, Life
from tests.faults.histories.stack import DEVS, Stack, Wanted, adopt, delete, recover, release, rename, up
from tests.faults.matrix.faults import FAULTS
from tests.faults.matrix.victims import VICTIMS, Command
from tests.faults.matrix.wire import Asked, Conduct, Exchange, Wire

EDITS = ("promote", "promote", "back", "back", "swap", "rotate", "retire", "release", "adopt", "rename", "restore")
STEPS = 6
TRIES = 3
LATEST_REQUEST = 18
AGAIN_SECONDS = 5.0
"""How soon the app takes writes again, whatever was killed."""
KILL, POSTGRES, NO_REPLY = "kill", "Postgres", "no reply"
_WRITES_EVERY = 0.05
_READS_PER_SECOND = 20


class BrokenPromiseError(Exception):
    """What was promised isn't so."""


@dataclass
class Shop:
    """A Neon project with rows on its default branch, that histories clone their dev from."""

    cloud: Cloud
    neon: NeonProject
    root: BranchId


@dataclass
class Told:
    """What one history was, for its number."""

    seed: int
    edits: list[str] = field(default_factory=list)
    faults: int = 0
    kills: int = 0
    refused: int = 0
    acknowledged: int = 0
    failed_writes: int = 0
    reads: int = 0
    failed_reads: int = 0
    longest_gap: float = 0.0


class History:
    """One history. `run` raises BrokenPromiseError, with the edits up to there."""

    def __init__(self, shop: Shop, seed: int, steps: int = STEPS) -> None:
        self.shop, self.seed, self.steps, self.told = shop, seed, steps, Told(seed)
        self.random = random.Random(seed)  # noqa: S311 - a history, no secret
        self.prefix = f"s{seed}"
        dev = self._neon(
            "POST", "/branches", branch={"name": f"{self.prefix}-dev", "parent_id": shop.root}, **_ENDPOINT
        )
        site = ask_vercel(shop.cloud, "POST", "/v11/projects", {"name": f"history-{seed}"})
        self.domain = ask_vercel(shop.cloud, "GET", f"/v9/projects/{site['id']}/domains")["domains"][0]["name"]
        self.dev = BranchId(dev["branch"]["id"])
        self.stack = Stack(shop.neon, VercelProject(site["id"]), self.dev, str(ROOT / "app"), self.prefix)
        self.wanted = Wanted((BranchKey("v1"),), BranchKey("v1"))
        self.made, self.released = 1, dict[BranchKey, BranchId]()
        self.must_stay: set[BranchId] = {self.dev}
        self.preserved: dict[BranchId, list[BranchId]] = {}
        self.gone: set[BranchId] = set()
        self.deployments: set[str] = set()
        self.writers: Writers | None = None

    def run(self) -> Told:
        """Live through it."""
        self._converge(lambda: None, struck=False)
        writers = self.writers = Writers(self.shop.cloud.vercel_edge_url, self.domain, pause=_WRITES_EVERY)
        readers = Visitors(self.shop.cloud.vercel_edge_url, self.domain, per_second=_READS_PER_SECOND)
        try:
            with readers.visiting(), writers.visiting():
                for _ in range(self.steps):
                    self._step()
            self._nothing_is_lost()
        except BrokenPromiseError as error:
            raise BrokenPromiseError(f"seed {self.seed}: {error}\n  after {'; '.join(self.told.edits)}") from error
        finally:
            self._note(readers, writers)
        return self.told

    def remove(self) -> None:
        """Delete what the history made."""
        ask_vercel(self.shop.cloud, "DELETE", f"/v9/projects/{self.stack.vercel}")
        found = [
            each for each in self._neon("GET", "/branches")["branches"] if each["name"].startswith(f"{self.prefix}-")
        ]
        for _ in range(len(found)):
            parents = {each.get("parent_id") for each in found}
            for leaf in [each for each in found if each["id"] not in parents]:
                self._neon("DELETE", f"/branches/{leaf['id']}")
                found.remove(leaf)

    # The edits

    def _step(self) -> None:
        edit = self.random.choice(EDITS)
        # Drawn in any case, so that one edit more or less to choose from doesn't change what comes after.
        fault, place = self.random.choice(_FAULTS), self.random.randint(1, LATEST_REQUEST)
        after: Callable[[], None] = lambda: None  # noqa: E731
        others = [key for key in self.wanted.branches if key != self.wanted.served]
        match edit:
            case "promote":
                self.made += 1
                key = BranchKey(f"v{self.made}")
                self._serve(key, branches=(*self.wanted.branches, key))
            case "back" if others:
                self._serve(self.random.choice(others))
            case "swap" if self.wanted.served != DEVS:
                self._serve(DEVS)
            case "rotate":
                self.wanted = replace(self.wanted, generation=self.wanted.generation + 1, accepted=None)
            case "retire" | "release" if others:
                after = self._let_go(self.random.choice(others), deleted=edit == "retire")
            case "adopt" if self.released:
                key = min(self.released)
                branch = self.released.pop(key)
                branches = (*self.wanted.branches, key)
                self.wanted = replace(
                    self.wanted, branches=branches, adopted=self.wanted.adopted | {key}, accepted=None
                )
                self._done("adopt", adopt, key, branch)
            case "rename" if self.wanted.served != DEVS:
                self._done("rename", rename, self.wanted.served, f"{self.prefix}-again-{self.made}")
            case "restore" if self.wanted.served != DEVS:
                self._restore()
            case _:
                return
        self.told.edits.append(f"{edit} → {self.wanted.served}, {fault or 'no fault'} at {place}")
        self._converge(after, fault=fault, place=place)

    def _serve(self, key: BranchKey, branches: tuple[BranchKey, ...] | None = None) -> None:
        """Serve `key`. One time in three the edit accepts no rows first, and is refused if visitors wrote any."""
        left, accepts = self.wanted.served, self.random.random() > 1 / 3
        self.wanted = replace(self.wanted, served=key, branches=branches or self.wanted.branches, accepted=None)
        if not accepts and self._wrote_to(left):
            end = self._lived("up, nothing accepted", up, (self.wanted,))
            if end.well or "LeftBehindError" not in end.error:
                raise BrokenPromiseError(f"{left} has rows of visitors and was left without a word: {end}")
            self.told.refused += 1
        self.wanted = replace(self.wanted, accepted=left)

    def _let_go(self, key: BranchKey, *, deleted: bool) -> Callable[[], None]:
        policies = {**self.wanted.policies, key: "delete" if deleted else "orphan"}
        self.wanted = replace(self.wanted, policies=policies, accepted=None)  # type: ignore[arg-type]
        branch = self.stack.addresses[key].branch

        def after() -> None:
            left = tuple(each for each in self.wanted.branches if each != key)
            self.wanted = replace(self.wanted, branches=left, policies={}, adopted=self.wanted.adopted - {key})
            if deleted:
                self.must_stay.discard(branch)
                self.gone |= {branch, *self.preserved.get(branch, [])}
                if any(each.get("parent_id") == branch for each in self._neon("GET", "/branches")["branches"]):
                    return  # Neon keeps a branch with copies, and so does the stack
            self._done("let go", delete if deleted else release, key)
            if not deleted:
                self.released[key] = branch

        return after

    def _restore(self) -> None:
        """Set the served branch back to a moment ago, in Neon's console; what was there stays under another name."""
        branch, name = self.stack.addresses[self.wanted.served].branch, f"{self.prefix}-kept-{len(self.told.edits)}"
        time.sleep(1.1)  # a whole second after the edit before, whose login would be taken back with it
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        time.sleep(1.2)
        body = {"source_branch_id": branch, "source_timestamp": moment, "preserve_under_name": name}
        self._neon("POST", f"/branches/{branch}/restore", **body)
        kept = next(each["id"] for each in self._neon("GET", "/branches")["branches"] if each["name"] == name)
        self.preserved.setdefault(branch, []).append(BranchId(kept))
        self.must_stay.add(BranchId(kept))
        self._done("recover", recover)
        self.wanted = replace(self.wanted, accepted=None)

    # What becomes of an edit

    def _converge(self, after: Callable[[], None], *, fault: str = "", place: int = 0, struck: bool = True) -> None:
        before = self.stack.served
        end = self._lived("up", up, (self.wanted,), fault, place)
        if struck:
            self._goes_on(before, end)
        for _ in range(TRIES):
            if end.well:
                break
            self._done("recover", recover)
            end = self._lived("up again", up, (self.wanted,))
            self._goes_on(before, end)
        if not end.well:
            raise BrokenPromiseError(f"it does not converge: {end}")
        unfinished = self.stack.pointer.outputs.unfinished if self.stack.pointer else None
        if unfinished and not self._lived("up once more", up, (self.wanted,)).well:
            raise BrokenPromiseError(f"what was left unfinished stays so: {unfinished}")
        after()
        self._is_as_wanted()

    def _done(self, what: str, work: Callable[..., None], *arguments: object) -> None:
        """Do something without a fault, which then may not fail; late effects of the edit before get their time."""
        for attempt in range(TRIES):
            end = self._lived(what, work, arguments)
            if end.well:
                return
            time.sleep(1 + attempt)
        raise BrokenPromiseError(f"{what} failed without a fault: {end}")

    def _lived(
        self, what: str, work: Callable[..., None], arguments: tuple[object, ...], fault: str = "", place: int = 0
    ) -> End:
        life, number = Life(), 0

        def chosen(_: Asked) -> Conduct | None:
            nonlocal number
            number += 1
            return self._conduct(fault, life) if fault and number == place else None

        with Wire(self.shop.cloud, chosen).strung() as wire:
            keys = {"NEON_API_KEY": self.shop.cloud.neon_api_key, "VERCEL_API_TOKEN": self.shop.cloud.vercel_api_token}
            self.stack, end = life.lived(work, self.stack, arguments, wire.env | keys)
            self.told.faults += wire.struck
            self.told.kills += end.killed
        if end.error.startswith("UNEXPECTED"):
            raise BrokenPromiseError(f"{what} ended with an error that isn't ours: {end.error}")
        if self.stack.pointer:
            self.must_stay |= {BranchId(each) for each in self.stack.pointer.outputs.history} - self.gone
            self.deployments.add(self.stack.pointer.outputs.served.deployment)
        return end

    def _conduct(self, fault: str, life: Life) -> Conduct:
        if fault not in (KILL, POSTGRES):
            return next(each.conduct for each in FAULTS if each.name == fault)

        def conduct(exchange: Exchange) -> None:
            reply = exchange.forward()
            if fault == KILL:
                life.kill()
            else:
                next(each for each in VICTIMS if each.name == POSTGRES).strike(Command(state=self.shop.cloud.state))
            exchange.answer(reply)

        return conduct

    # The judge

    def _goes_on(self, before: BranchKey | None, end: End) -> None:
        """The app takes writes, on the branch before or on the wanted one."""
        deadline = time.monotonic() + AGAIN_SECONDS
        while (status := self._post()) != httpx.codes.CREATED:
            if time.monotonic() > deadline:
                raise BrokenPromiseError(f"writes are answered {status} {AGAIN_SECONDS:g} s after: {end}")
            time.sleep(0.1)
        serving, allowed = self._serving(), {self._id(before), self._id(self.wanted.served)}
        if serving not in allowed or (end.well and serving != self._id(self.wanted.served)):
            raise BrokenPromiseError(f"{serving} serves, wanted {self.wanted.served}, before {before}: {end}")

    def _is_as_wanted(self) -> None:
        if self._serving() != self._id(self.wanted.served):
            raise BrokenPromiseError(f"{self._serving()} serves, wanted {self.wanted.served}")
        found = self._neon("GET", "/branches")["branches"]
        names = [each["name"] for each in found if each["name"].startswith(f"{self.prefix}-")]
        if len(names) != len(set(names)):
            raise BrokenPromiseError(f"a branch is there twice: {sorted(names)}")
        if missing := self.must_stay - {each["id"] for each in found}:
            raise BrokenPromiseError(f"branches are gone that nobody retired: {missing}")
        computes = [each["branch_id"] for each in self._neon("GET", "/endpoints")["endpoints"]]
        if len(computes) != len(set(computes)):
            raise BrokenPromiseError("a branch has two computes")
        self._only_one_takes_writes()

    def _only_one_takes_writes(self) -> None:
        """No branch that served before takes a write of the app's with the login that it served with.

        One that was released and adopted has a login with a new password, which no deployment of before knows.
        """
        history = self.stack.pointer.outputs.history if self.stack.pointer else {}
        for key, login in self.stack.logins.items():
            branch = self.stack.addresses[key].branch
            left = key != self.wanted.served and key not in self.wanted.adopted and branch in history
            if left and (status := _writes(login.outputs.direct_url)):
                raise BrokenPromiseError(f"{key} was left and still takes writes: {status}")

    def _nothing_is_lost(self) -> None:
        assert self.writers
        there = {each["id"] for each in self._neon("GET", "/branches")["branches"]}
        for branch in {branch for branch, _ in self.writers.acknowledged} - self.gone:
            places = [branch, *self.preserved.get(BranchId(branch), [])]
            kept = set[int]().union(*(self._orders(place) for place in places if place in there))
            lost = [id_ for where, id_ in self.writers.acknowledged if where == branch and id_ not in kept]
            if lost:
                raise BrokenPromiseError(f"{len(lost)} acknowledged writes are not on {branch}: {lost[:5]}")

    def _wrote_to(self, key: BranchKey) -> bool:
        """Whether visitors were told that their write to this branch is kept, since it was cloned."""
        return bool(self.writers) and any(branch == self._id(key) for branch, _ in self.writers.acknowledged)  # type: ignore[union-attr]

    def _id(self, key: BranchKey | None) -> str:
        if key == DEVS:
            return self.dev
        return self.stack.addresses[key].branch if key in self.stack.addresses else ""

    def _post(self) -> int:
        try:
            url = f"{self.shop.cloud.vercel_edge_url}/orders"
            return httpx.post(url, headers={"Host": self.domain}, timeout=AGAIN_SECONDS).status_code
        except httpx.HTTPError:
            return 0

    def _serving(self) -> str:
        answer = httpx.get(f"{self.shop.cloud.vercel_edge_url}/health", headers={"Host": self.domain}, timeout=10)
        return str(answer.json().get("branch")) if answer.is_success else f"status {answer.status_code}"

    def _orders(self, branch: str) -> set[int]:
        of = f"branch_id={branch}&database_name=neondb&role_name=neondb_owner"
        endpoints = self._neon("GET", f"/branches/{branch}/endpoints")["endpoints"]
        if not endpoints:
            self._neon("POST", "/endpoints", endpoint={"branch_id": branch, "type": "read_write"})
        with psycopg.connect(self._neon("GET", f"/connection_uri?{of}")["uri"]) as connection:
            return {int(row[0]) for row in connection.execute("SELECT id FROM orders")}

    def _neon(self, method: str, path: str, **body: Any) -> Any:
        return ask_neon(self.shop.cloud, method, f"/projects/{self.shop.neon}{path}", **body)

    def _note(self, readers: Visitors, writers: Writers) -> None:
        self.told.acknowledged = len(writers.acknowledged)
        self.told.failed_writes = sum(writers.answers.values()) - writers.answers["201"]
        self.told.reads = sum(readers.answers.values())
        self.told.failed_reads = self.told.reads - readers.answers["200"]
        moments = sorted(writers.moments)
        gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
        self.told.longest_gap = round(max(gaps, default=0.0), 2)


def _writes(url: str) -> str:
    """Try a write with a login, and take it back; say what became of it if that was not denied."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            connection.execute("INSERT INTO orders (customer_id) SELECT min(id) FROM customers")
            connection.rollback()
    except psycopg.Error:
        return ""
    return "an INSERT was taken"


_ENDPOINT: dict[str, Any] = {
    "endpoints": [
        {
            "type": "read_write",
            "autoscaling_limit_min_cu": 0.25,
            "autoscaling_limit_max_cu": 0.25,
            "suspend_timeout_seconds": -1,
        }
    ]
}
_FAULTS = ("", KILL, KILL, KILL, POSTGRES, *(fault.name for fault in FAULTS if fault.name != NO_REPLY))
