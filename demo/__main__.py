"""The story that `make demo` tells, each step of it really done: see the module's functions in order."""

from __future__ import annotations

import difflib
import sys

import psycopg

from demo.narration import Narrator
from localcloud import engine, lifecycle, shell
from localcloud.cloud import ROOT, state_folder
from localcloud.program import CommandError, Program
from localcloud.workspace import make_workspace

ROWS_MORE = 1000


def main() -> int:
    """Tell the whole story; return the exit code."""
    narrator = Narrator()
    state = state_folder()
    with narrator.step("A cloud on this machine: Postgres 18, Neon's API, Vercel's API and its edge"):
        if lifecycle.reset(state):
            narrator.say("What an earlier run left in it is cleared away.")
        cloud = lifecycle.start(state).cloud
        engine.install_plugins(cloud.pulumi_home)
        program = Program(make_workspace(ROOT, state / "demo", replace=True), cloud)
    try:
        _story(narrator, program)
    except CommandError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    narrator.end()
    print(_next(program))
    return 0


def _story(narrator: Narrator, program: Program) -> None:
    with narrator.step("dev: a Neon project with a branch of its own, a Vercel project, DATABASE_URL for previews"):
        program.select("dev")
        narrator.say(_resources(program.up("dev")))
    with narrator.step("A day of work on dev: the schema by drizzle-kit, and some rows"):
        url = program.fill("dev", "dev")
        narrator.say(f"dev holds {_rows(url)} orders")
    with narrator.step("prod: a branch of its own cloned from dev, checked, deployed, then given the domain"):
        program.select("prod")
        narrator.say(_resources(program.up("prod")))
        narrator.say(_answer(program))
    with narrator.step(f"Work on dev goes on: {ROWS_MORE:,} orders more, which prod does not see"):
        _add_orders(url)
        narrator.say(f"dev holds {_rows(url)} orders")
        narrator.say(_answer(program))
    with narrator.step("A promotion is an edit of Pulumi.prod.yaml; the preview tells what it means"):
        cloned = "    prod-v1: {from: {stack: dev, branch: dev}}\n"
        narrator.say(
            _edit(program, (cloned, cloned + cloned.replace("v1", "v2")), ("serve: prod-v1", "serve: prod-v2"))
        )
        narrator.say(_told(program.preview("prod")))
    with narrator.step("pulumi up: clone, compute, credentials, readiness, a staged deployment, then the domain moves"):
        narrator.say(_told(program.up("prod")))
        narrator.say(_answer(program))
        narrator.say(f"prod-v1 is untouched: {_rows(program.owner_url('prod', 'prod-v1'))} orders")
    with narrator.step("Nothing is left to do: a second up changes nothing on either stack"):
        for stack in ("dev", "prod"):
            program.up(stack, "--expect-no-changes")
    with narrator.step("The way back is the same edit the other way round; nothing is built"):
        narrator.say(_edit(program, ("serve: prod-v2", "serve: prod-v1")))
        narrator.say(_told(program.up("prod")))
        narrator.say(_answer(program))


def _edit(program: Program, *changes: tuple[str, str]) -> str:
    """Change the stack file as a person would, and return what changed."""
    file = program.stack_file("prod")
    before = file.read_text()
    after = before
    for old, new in changes:
        after = after.replace(old, new)
    file.write_text(after)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(
        ["Pulumi.prod.yaml", *(f"  {line}" for line in lines if line[:3] not in ("---", "+++") and line[0] in "+-")]
    )


def _resources(output: str) -> str:
    """Return pulumi's own last words: how many resources it made or changed, and how long that took."""
    lines = output.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("Resources:"))
    return " ".join(line.strip() for line in lines[first:] if line.strip())


def _told(output: str) -> str:
    """Return what the diagnostics say, without the table of resources."""
    told: list[str] = []
    inside = False
    for line in output.splitlines():
        if not line.startswith(" "):
            inside = line == "Diagnostics:"
        elif inside and line.startswith("    "):
            told.append(line.removeprefix("    "))
    return "\n".join(told)


def _answer(program: Program) -> str:
    outputs = program.outputs("prod")
    health = program.health(outputs["domain"])
    names = {branch: name for name, branch in outputs["branches"].items()}
    return f"https://{outputs['domain']} answers from {names[health['branch']]}: {health['rows']['orders']} orders"


def _rows(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
    return f"{row[0] if row else 0:,}"


def _add_orders(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO orders (customer_id) SELECT (SELECT min(id) FROM customers) FROM generate_series(1, %s)",
            (ROWS_MORE,),
        )


def _next(program: Program) -> str:
    cloud = program.cloud
    domain = program.outputs("prod")["domain"]
    return f"""
The cloud keeps running. To go on by hand:

    cd {program.folder}
    {shell.evaluate()}
    pulumi preview -s prod            # after an edit of Pulumi.prod.yaml
    pulumi up -s prod
    curl -H 'Host: {domain}' {cloud.vercel_edge_url}/health

The branches, computes and deployments as a page: {cloud.page_url}
To stop it: make stop. To clear it: make reset."""


if __name__ == "__main__":
    sys.exit(main())
