"""What other stacks exported at their last update: read once, without depending on them.

A StackReference would let a missing or broken dev stop a rollback of production. This asks the engine the same question
and accepts "unknown stack" as an answer; `environments.plan` refuses where it needs the exports of that stack.

A stack never reads its own exports: the engine writes them while the program runs. Another stack may be written at the
same moment, too. A file backend replaces a stack's state by a rename, but first it empties and rewrites the note that
lies beside it (`dev.json.attrs`, gocloud.dev's fileblob, `setAttrs`). A read between these two ends with "EOF", and the
engine doesn't repeat it, so this does. An engine that was killed between the two leaves the note empty for good.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import pulumi

from environments.errors import EnvironmentsError
from environments.plan.topology import StackExports

_READ = "pulumi:pulumi:readStackOutputs"
_FAILED = f"invoke of {_READ} failed: invocation of {_READ} returned an error: "
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds before each repetition of a read. A writer needs milliseconds, on a busy machine tenths of seconds."""

_UNKNOWN = 'unknown stack "'
_NOTE = re.compile(
    r'failed to load checkpoint: (blob \(key "[^"]*"\) \(code=Unknown\): )?(EOF|unexpected EOF|invalid character .*)$'
)
_STATE = re.compile(r"failed to load checkpoint: (place 1: .*|unexpected end of JSON input)$")
_GONE = re.compile(r"failed to load checkpoint: .*\(code=NotFound\)")
"""What the engine (3.259) answers for a half-written note, for half a state, and for a state that has just gone."""


class UnreadableStackError(EnvironmentsError):
    """The exports of another stack can't be read; nothing was changed."""


def read_exports(stacks: Mapping[str, str]) -> dict[str, StackExports]:
    """Return what each of `stacks` exports, by its environment's name; one that doesn't exist exports nothing.

    They are other stacks of this project, given by their environments' names.

    Raises UnreadableStackError if a stack exists and can't be read, or isn't whole after some seconds.
    """
    return {name: _exports(_outputs(stack)) for name, stack in stacks.items()}


def _outputs(stack: str) -> dict[str, Any]:
    said = ""
    for pause in (0.0, *_PAUSES):
        time.sleep(pause)
        try:
            return _ask(stack)
        except Exception as error:  # noqa: BLE001 - the SDK raises a bare Exception for every failed invoke
            said = str(error)
        if _UNKNOWN in said:
            return {}
        if not any(pattern.search(said) for pattern in (_NOTE, _STATE, _GONE)):
            break
    raise UnreadableStackError(_problem(stack, said))


def _ask(stack: str) -> dict[str, Any]:
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    answer = pulumi.runtime.invoke(_READ, {"name": name}).value
    outputs: dict[str, Any] = (answer or {}).get("outputs") or {}
    return outputs


def _problem(stack: str, said: str) -> str:
    """Say what is wrong with the stack and what to do, given what the engine said of it."""
    what = f"The exports of stack {stack} can't be read; nothing was changed."
    recover = f"run environments recover -s {stack}"
    if _NOTE.search(said):
        return (
            f"{what} The note beside its state, {stack}.json.attrs, is half-written: the engine was killed while it "
            f"wrote it. To mend it, {recover}, then run this command again."
        )
    if _STATE.search(said):
        return (
            f"{what} The file with its state, {stack}.json, is damaged. The engine keeps the state before the last one "
            f"beside it: copy {stack}.json.bak over {stack}.json, {recover} and pulumi up -s {stack}, then run this "
            "command again."
        )
    return f"{what} The engine says: {said.removeprefix(_FAILED)}"


def _exports(outputs: dict[str, Any]) -> StackExports:
    projects = outputs.get("projects") or {}
    return StackExports(projects.get("neon"), projects.get("vercel"), outputs.get("branches") or {})
