"""No password, URL or token in any output, state, log or command line: every real secret is looked for everywhere."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from localcloud.program import CommandError
from tests.e2e.conftest import FROM_DEV, World

pytestmark = pytest.mark.e2e

PASSWORD = re.compile(r"://[^:/@\s]+:([^@/\s]+)@")
LOGS = ("*.log", "*.log.*", "log/*", "*.stderr", "*.stdout")


@pytest.fixture(scope="module")
def said(world: World) -> list[str]:
    """All that pulumi says of a promotion, a failed one, a drift and a rollback, in every form that it offers."""
    said = [world.up("dev", "--diff")]
    branches = world.setting("prod", "branches") | {"prod-v2": FROM_DEV}
    world.edit("prod", branches=branches, serve="prod-v2")
    said += [world.preview("prod", "--diff"), world.preview("prod", "--json"), world.preview("prod", "--refresh")]
    with command_lines() as seen:
        said.append(world.up("prod", "--diff", "--show-config", "--show-replacement-steps"))
    assert any("pulumi" in line for line in seen), "command lines were sampled while the engine ran"
    said.append("\n".join(seen))
    world.edit("prod", serve="prod-v1")
    handler = world.folder / "app" / "api" / "index.js"
    healthy = handler.read_text()
    handler.write_text("console.log(process.env.DATABASE_URL); throw new Error(process.env.DATABASE_URL);\n")
    said.append(world.up("prod", "--json"))
    world.edit("prod", serve="prod-v2", branches=branches | {"prod-v3": FROM_DEV})
    world.edit("prod", serve="prod-v3")
    with pytest.raises(CommandError) as failed:
        world.up("prod", "--diff")
    said.append(str(failed.value))
    handler.write_text(healthy)
    said += [world.up("prod", "--diff"), world.pulumi("refresh", "-s", "prod", "--yes", "--diff")]
    said += [world.pulumi("stack", "output", "-s", stack, "--json") for stack in ("dev", "prod")]
    said += [world.pulumi("stack", "history", "-s", "prod", "--json")]
    return said


def test_no_secret_is_said(world: World, said: list[str]) -> None:
    found = [secret[:4] for secret in secrets(world) for text in said if secret in text]
    assert not found


@pytest.mark.usefixtures("said")
def test_no_secret_lies_in_the_state_or_in_the_stack_files(world: World) -> None:
    assert world.backend
    files = [path for path in world.backend.rglob("*") if path.is_file()] + list(world.folder.glob("Pulumi*.yaml"))
    assert any("prod" in path.name for path in files)
    assert not hits(files, secrets(world))


@pytest.mark.usefixtures("said")
def test_no_secret_lies_in_a_log(world: World) -> None:
    files = [path for pattern in LOGS for path in world.cloud.state.rglob(pattern) if path.is_file()]
    assert any(path.stat().st_size for path in files), "there are logs to look into"
    assert not hits(files, secrets(world))


@pytest.mark.usefixtures("said")
def test_what_holds_secrets_is_for_its_owner_only(world: World) -> None:
    open_to_others = [
        path
        for path in (world.cloud.state, *world.cloud.state.iterdir())
        if path.stat().st_mode & 0o077 and path.name != "lifecycle.lock"
    ]
    assert not open_to_others


def secrets(world: World) -> set[str]:
    """Return every secret that there is: tokens, the passphrase, and each password of each branch that state knows."""
    known = {world.cloud.neon_api_key, world.cloud.vercel_api_token, world.cloud.passphrase_file.read_text().strip()}
    for stack in ("dev", "prod"):
        known |= set(PASSWORD.findall(world.pulumi("stack", "export", "-s", stack, "--show-secrets")))
        known |= {PASSWORD.findall(world.owner_url(stack, branch))[0] for branch in world.outputs(stack)["branches"]}
    assert len(known) >= 3 + 2 * 4, (
        "tokens and passphrase, and an owner's and an app's password on each of four branches"
    )
    return known


def hits(files: list[Path], wanted: set[str]) -> list[tuple[str, str]]:
    contents = [(path, path.read_bytes()) for path in files]
    return [(str(path), secret[:4]) for path, content in contents for secret in wanted if secret.encode() in content]


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Collect the command line of every process that lives in the meantime."""
    seen: set[str] = set()
    done = threading.Event()

    def sample() -> None:
        while not done.is_set():
            for process in psutil.process_iter(["cmdline"]):
                seen.add(" ".join(process.info["cmdline"] or []))
            time.sleep(0.02)

    sampler = threading.Thread(target=sample)
    sampler.start()
    yield seen
    done.set()
    sampler.join()


def test_the_preview_as_json_is_json(world: World) -> None:
    assert json.loads(world.preview("prod", "--json"))["changeSummary"]
