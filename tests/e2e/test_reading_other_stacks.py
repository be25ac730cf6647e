"""Production reads what dev exports, also while dev is being written, and says in words what it can't read."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

PREVIEWS = 10
PATIENCE = 60.0


@pytest.fixture(scope="module")
def world(bare: World) -> World:
    """Dev, and a production that was never brought up: its preview needs dev's projects and branch."""
    bare.select("dev")
    bare.up("dev")
    bare.select("prod")
    return bare


def state_of(world: World, stack: str) -> Path:
    """Return the file with a stack's state; the note beside it has the same name and `.attrs`."""
    assert world.backend
    return world.backend / ".pulumi" / "stacks" / "environments" / f"{stack}.json"


def note_of(world: World, stack: str) -> Path:
    return state_of(world, stack).with_suffix(".json.attrs")


def previewed(world: World) -> str:
    """Preview production, and make sure that it clones dev's branch."""
    told = world.preview("prod")
    assert "environments:neon:Branch" in told
    assert "prod-v1" in told
    return told


def refused(world: World) -> str:
    """Return the one line of the error with which production's preview ends."""
    with pytest.raises(CommandError) as error:
        world.preview("prod")
    said = str(error.value).partition("Diagnostics:")[2].partition("Resources:")[0]
    assert "Traceback" not in said
    (line,) = [line.strip() for line in said.splitlines() if "error:" in line]
    return line.removeprefix("error: ")


def test_no_preview_fails_while_dev_is_brought_up_in_a_loop(world: World) -> None:
    enough = threading.Event()

    def bring_up_dev() -> int:
        ups = 0
        while not enough.is_set():
            world.edit("dev", compute={"min_cu": 0.25, "max_cu": 1 + ups % 2})
            world.up("dev")
            ups += 1
        return ups

    with ThreadPoolExecutor(1) as other:
        ups = other.submit(bring_up_dev)
        try:
            for _ in range(PREVIEWS):
                previewed(world)
        finally:
            enough.set()
    assert ups.result() > 1


def test_a_preview_that_finds_dev_half_written_reads_it_again(world: World) -> None:
    note = note_of(world, "dev")
    whole = note.replace(note.with_name("whole"))
    os.mkfifo(note)

    def write() -> None:
        """Give the first reader an empty note, and put the whole one there before it ends."""
        with note.open("w"):  # waits for the reader
            whole.replace(note)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    previewed(world)
    writer.join(PATIENCE)
    assert not writer.is_alive()


def test_a_note_that_a_kill_left_empty_is_told_in_words_and_mended_by_recovery(world: World) -> None:
    note_of(world, "dev").write_text("")
    assert refused(world) == (
        "The exports of stack dev can't be read; nothing was changed. The note beside its state, dev.json.attrs, is "
        "half-written: the engine was killed while it wrote it. To mend it, run environments recover -s dev, then run "
        "this command again."
    )
    world.run(sys.executable, "-m", "environments", "recover", "-s", "dev")
    previewed(world)


def test_a_state_that_is_damaged_is_told_in_words_and_the_one_before_it_put_back(world: World) -> None:
    world.up("dev")  # the state before the last one is whole too
    state = state_of(world, "dev")
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])
    assert refused(world) == (
        "The exports of stack dev can't be read; nothing was changed. The file with its state, dev.json, is damaged. "
        "The engine keeps the state before the last one beside it: copy dev.json.bak over dev.json, run environments "
        "recover -s dev and pulumi up -s dev, then run this command again."
    )
    shutil.copy(state.with_suffix(".json.bak"), state)
    world.run(sys.executable, "-m", "environments", "recover", "-s", "dev")
    world.up("dev")
    previewed(world)


def test_without_dev_production_says_what_it_needs(world: World) -> None:
    aside = state_of(world, "dev").replace(state_of(world, "dev").with_name("aside"))
    with pytest.raises(CommandError, match="the projects come from stack dev, which is missing or was never brought"):
        world.preview("prod")
    aside.replace(state_of(world, "dev"))
