"""The `pulumi` command for one stack, as recovery and adoption need it: history, export, refresh; preview, import.

What the engine prints as JSON becomes dataclasses here, and nowhere else.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NewType, TypeVar
from urllib.parse import unquote, urlsplit

import yaml

from environments.clients.file_backend import FileBackend, Lock
from environments.errors import FailedError, RefusedError, StateError
from environments.ids import StackName
from environments.props import decode, encode

T = TypeVar("T")

Urn = NewType("Urn", str)
"""What the engine calls a resource of a stack; empty for none."""

NO_URN = Urn("")
_PROGRAM = "Pulumi.yaml"
_HISTORY = "100"
"""Runs that are read of a stack's history: enough to reach back to the last one that succeeded."""


class NoProgramError(RefusedError):
    """There is no Pulumi program here."""


class EngineError(FailedError):
    """`pulumi` ended with an error."""


class LockedError(RefusedError):
    """An engine updates the stack right now."""


@dataclass(frozen=True)
class Resource:
    """A resource as the engine tells of it: `token` is its type, `provider` the URN of its provider.

    `id` is empty for one that isn't made yet, and for a component.
    """

    urn: Urn
    token: str
    custom: bool
    parent: Urn
    provider: Urn
    values: Mapping[str, Any]
    """Its inputs as the engine writes them."""
    id: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Resource:
        """Read what the engine writes of a resource into a state or a preview."""
        return cls(
            found["urn"],
            found["type"],
            bool(found.get("custom")),
            Urn(found.get("parent") or ""),
            Urn((found.get("provider") or "").rpartition("::")[0]),  # the reference ends with the provider's id
            found.get("inputs") or {},
            found.get("id") or "",
        )

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[1]

    def inputs(self, model: type[T]) -> T:
        """Return its inputs as the dataclass `model`. Raises StateError if they are not."""
        return decode(model, self.values, f"{self.name} ({self.token}): ")


@dataclass(frozen=True)
class Checkpoint:
    """A stack's state: when it was written and when its first resource was, its resources, and what was cut short.

    `pending_creates` are those that the engine began and didn't see the end of; `unfinished` says that it began
    anything such.
    """

    written_at: datetime
    began_at: datetime
    resources: tuple[Resource, ...]
    pending_creates: tuple[Resource, ...]
    unfinished: bool
    text: str
    """The whole, as the engine exported it, secrets encrypted."""

    @classmethod
    def of(cls, text: str) -> Checkpoint:
        """Read what `pulumi stack export` prints. Raises StateError if it is no state."""
        try:
            deployment = json.loads(text)["deployment"]
            resources = deployment.get("resources") or []
            pending = deployment.get("pending_operations") or []
            written_at = datetime.fromisoformat(deployment["manifest"]["time"])
            created = [datetime.fromisoformat(each["created"]) for each in resources if each.get("created")]
            return cls(
                written_at,
                min(created, default=written_at),
                tuple(map(Resource.of, resources)),
                tuple(Resource.of(each["resource"]) for each in pending if each["type"] == "creating"),
                bool(pending),
                text,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"pulumi stack export printed no state that can be read: {error!r}") from None

    def settled(self, inputs: Mapping[Urn, Collection[str]]) -> str:
        """Return the state without pending operations.

        Each resource that `inputs` names has none but the inputs that it names.
        """
        whole = json.loads(self.text)
        whole["deployment"].pop("pending_operations", None)
        for resource in whole["deployment"].get("resources") or []:
            if (kept := inputs.get(resource["urn"])) is not None:
                resource["inputs"] = {key: value for key, value in resource["inputs"].items() if key in kept}
        return json.dumps(whole)


@dataclass(frozen=True)
class Update:
    """An entry of a stack's history: what was run (`update` is `pulumi up`), from when to when, with what result.

    `ended_at` is None for one of which the backend doesn't know the end.
    """

    kind: str
    result: str
    began_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Update:
        """Read one entry of what `pulumi stack history --json` prints."""
        ended = found.get("endTime")
        return cls(
            found["kind"],
            found.get("result") or "",
            datetime.fromisoformat(found["startTime"]),
            datetime.fromisoformat(ended) if ended else None,
        )


@dataclass(frozen=True)
class Plan:
    """What an update would create, parents first; `problem` says why the preview went no further, empty if it did."""

    creates: tuple[Resource, ...]
    problem: str


@dataclass(frozen=True, kw_only=True)
class Parameterization:
    """Which package a bridging plugin is to be; `value` is in base64."""

    plugin_name: str
    plugin_version: str
    value: str


@dataclass(frozen=True, kw_only=True)
class ImportedResource:
    """One entry of an import file. One with an `id` is read by its provider; others are a provider or a component."""

    type: str
    name: str
    logical_name: str
    parent: str | None = None
    provider: str | None = None
    component: bool | None = None
    id: str | None = None
    inputs: Mapping[str, Any] | None = None
    version: str | None = None
    parameterization: Parameterization | None = None


@dataclass(frozen=True, kw_only=True)
class ImportFile:
    """What `pulumi import --file` reads; `name_table` has the URNs of what the state holds already, by name."""

    name_table: Mapping[str, Urn]
    resources: tuple[ImportedResource, ...]


def program_folder(start: Path) -> Path:
    """Return the folder of the Pulumi program that `start` belongs to: it or a folder above it.

    Raises NoProgramError if there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / _PROGRAM).is_file():
            return folder
    raise NoProgramError(
        f"there is no {_PROGRAM} in {start} or above it. Run this in the folder of the Pulumi program, "
        f"the one with {_PROGRAM}"
    )


@dataclass(frozen=True)
class Stack:
    """A stack of the program in `folder`."""

    folder: Path
    name: StackName

    def export(self) -> Checkpoint:
        """Return the state with its secrets still encrypted."""
        return Checkpoint.of(self._run("stack", "export", "-s", self.name))

    def repair_backend(self) -> bool:
        """Delete what a killed engine left half-written in a file backend; return whether there was anything."""
        backend = self._file_backend()
        return backend is not None and backend.repair()

    def unlock(self, *, force: bool) -> list[Lock]:
        """Remove the locks of engines that are gone, and return them.

        Raises LockedError while such an engine may run, unless `force` says that somebody has made sure that it
        doesn't. Other backends than files keep their own locks, which only `force` removes.
        """
        backend = self._file_backend()
        locks = backend.locks(self._qualified_name()) if backend else []
        for lock in locks:
            if not force and lock.may_be_held():
                raise LockedError(
                    f"{self.name} is being updated by {lock.holder}. Wait until that ends, then run this again. If you "
                    "are sure that this process is gone, add --unlock"
                )
        if locks or force:
            self._run("cancel", "--yes", "-s", self.name)
        return locks

    def history(self) -> list[Update]:
        """Return what was run on the stack, the newest first, as far as the backend remembers it.

        A file backend writes an entry when a run ends: one that was killed has none.
        """
        found = json.loads(self._run("stack", "history", "--json", "--page-size", _HISTORY, "-s", self.name)) or []
        return sorted(map(Update.of, found), key=lambda update: update.began_at, reverse=True)

    def settle(self, inputs: Mapping[Urn, Collection[str]]) -> None:
        """Drop the pending operations, and leave each resource that `inputs` names none but the inputs that it names.

        An import keeps all that the provider reads. A branch has `parentLsn` and `parentTimestamp` then, of which the
        real provider takes one. Secrets in the state are encrypted and stay so.
        """
        with _written(self.export().settled(inputs)) as file:
            self._run("stack", "import", "--file", file, "-s", self.name)

    def refresh(self) -> None:
        """Read everything in the state as it really is, and show what the engine prints."""
        self._run("refresh", "--yes", "--skip-preview", "-s", self.name, shown=True)

    def plan(self, env: Mapping[str, str]) -> Plan:
        """Return what an update would create when the program runs with the variables `env`."""
        done = self._ended(("preview", "--json", "-s", self.name), env)
        try:
            found = json.loads(done.stdout)
        except ValueError:
            found = {}
        creates = tuple(Resource.of(step["newState"]) for step in found.get("steps", []) if step["op"] == "create")
        if not done.returncode:
            return Plan(creates, "")
        errors = [each["message"].strip() for each in found.get("diagnostics", []) if each["severity"] == "error"]
        return Plan(creates, "\n".join(errors) or done.stderr.strip())

    def creates(self, env: Mapping[str, str]) -> tuple[Resource, ...]:
        """Return what an update would create, as `plan` does. Raises EngineError if the preview fails."""
        plan = self.plan(env)
        if plan.problem:
            raise EngineError(f"pulumi preview failed:\n{plan.problem}")
        return plan.creates

    def take_in(self, wanted: ImportFile) -> None:
        """Have `pulumi import` bring what `wanted` names into the state.

        What it prints isn't shown: it warns of each input that the provider doesn't return, a secret's value above all.
        """
        with _written(json.dumps(encode(wanted))) as file:
            self._run("import", "--file", file, "-s", self.name, "--yes", "--skip-preview", "--generate-code=false")

    def _file_backend(self) -> FileBackend | None:
        url = urlsplit(json.loads(self._run("whoami", "--json")).get("url", ""))
        if url.scheme != "file":
            return None
        return FileBackend(Path(unquote(url.netloc + url.path)).expanduser() / ".pulumi")

    def _qualified_name(self) -> str:
        """Return the stack's name with its project's, as the backend keeps it."""
        if "/" in self.name:
            return self.name
        return f"{yaml.safe_load((self.folder / _PROGRAM).read_text())['name']}/{self.name}"

    def _run(self, *arguments: str, shown: bool = False) -> str:
        done = self._ended(arguments, {}, shown=shown)
        if done.returncode:
            raise EngineError(f"pulumi {arguments[0]} failed:\n{done.stderr.strip() or (done.stdout or '').strip()}")
        return done.stdout or ""

    def _ended(
        self, arguments: tuple[str, ...], env: Mapping[str, str], *, shown: bool = False
    ) -> subprocess.CompletedProcess[str]:
        out = None if shown else subprocess.PIPE
        command = ["pulumi", *arguments, "--non-interactive"]
        environment = {**os.environ, **env}
        try:
            return subprocess.run(
                command, cwd=self.folder, env=environment, stdout=out, stderr=subprocess.PIPE, text=True, check=False
            )
        except FileNotFoundError:
            raise EngineError(
                'pulumi is not on PATH. Install it; on the local cloud run eval "$(python -m localcloud env)"'
            ) from None


@contextmanager
def _written(text: str) -> Iterator[str]:
    """Write `text` into a file for as long as the block lasts; yield its path."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        yield file.name
