"""Real previews of the real engine become comments: what a reviewer must read is in them, secrets aren't."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest

from environments.commands.report.comment import comment
from environments.commands.report.preview import read_preview
from environments.review.file import read_review
from environments.review.telling import VARIABLE
from environments.review.terminal import render
from tests.commands.report.scenario import Recorded, previews, record
from tests.e2e.conftest import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SERVES_V1 = 'p{{"production"}}:::pointer\n    p ==>|serves| b0'
SAID = {
    "dev-made": ["## `dev`: will be made, serving `dev`", '("the default branch")', "| `dev` | new | 0.25 to 1 CU"],
    "refused-without-dev": ["`prod`: refused", "> - environments:project: the projects come from stack dev"],
    "first": ["`prod`: production will serve prod-v1, for the first time", "dev<br/>stack dev", SERVES_V1],
    "nothing-to-do": ["`prod`: nothing to do, `prod-v1` goes on serving", SERVES_V1],
    "refused-token": ["`prod`: refused", "production stays on `prod-v1`", "NEON\\_API\\_KEY is not set"],
    "promotion": [
        "`prod`: production moves from prod-v1 to prod-v2",
        "| rows left behind | nothing: no row was written to prod-v1",
        "p -.->|before| b0\n    p ==>|after| b1",
        '["prod-v2<br/>new"]:::new',
        "| `prod-v2` | new | 1 to 2 CU",
        "-  environments:serve: prod-v2\n+  environments:serve: prod-v1",
        "| make | neon Branch `prod-v2` |",
    ],
    "refused-rows": [
        "`prod`: refused, nothing was changed; production stays on `prod-v1`",
        "| `order_items` | 1 |\n| `orders` | 1 |",
        """`pulumi config set accept '{"branch": "prod-v1", "rows": 2}'`""",
        "p ==>|serves| b0\n    p -.->|refused| b1",
    ],
    "promotion-accepted": ["| `order_items` | 1 |", "stay behind on prod-v1 (accepted in the stack file)"],
    "refused-swap": ["`prod`: refused", "pulumi config set --path strategy.kind pointer-swap"],
    "refused-small": ["dev can't carry prod: min\\_cu 0.25, needed at least 1", "In Pulumi.dev.yaml write"],
    "swap": [
        "`prod`: production moves from prod-v2 to dev/dev (Pointer Swap)",
        "nothing is copied",
        '(["dev<br/>stack dev"]):::other',
        "p -.->|before| b1\n    p ==>|after| s0",
        '-  environments:serve: {"stack": "dev", "branch": "dev"}\n+  environments:serve: prod-v2',
    ],
    "refused-shrink": ["`dev`: refused", "prod serves from dev, and this would leave it with min\\_cu 0.25"],
    "swap-back": ["production moves from dev/dev to prod-v2", "p -.->|before| s0\n    p ==>|after| b1"],
    "refused-move": [
        "`prod`: refused",
        "Standard Migration never swaps databases: from prod-v2 the pointer moves only",
    ],
    "retire": ["`prod`: 3 resources change, `prod-v2` goes on serving", "Dropping its line then deletes it"],
    "drop": [
        "prod-v1 is dropped. It was retired: Neon deletes it in this update, with every row",
        "would be deleted",
    ],
    "rollback": [
        "production moves from prod-v2 to prod-v1",
        "nothing is built",
        "p -.->|before| b1\n    p ==>|after| b0",
    ],
    "refused-live": ["production stays on `prod-v2`", "set safety.phase to beta"],
    "refused-settings": ["`prod`: refused", "min\\_cu 3 is above max\\_cu 2. Raise max\\_cu or lower min\\_cu"],
    "refused-drop": [
        "`prod`: refused",
        "branch prod-v1 has neither retire: true nor release: true",
        "Nothing of it was deleted",
    ],
    "redeploy": ["`prod`: production stays on prod-v2; its app is deployed again", "put the app back as it was"],
    "migration": [
        "`prod`: production stays on prod-v2; its app is deployed again",
        "<summary>1 migration with the SQL</summary>",
        '```sql\nALTER TABLE "orders" ADD COLUMN "reference" text;\n```',
    ],
    "refused-migration": [
        "`prod`: refused, nothing was changed; production stays on `prod-v2`",
        "takes away the column status of orders. If that is meant, name it in the stack file",
        "allow\\_data\\_loss: \\[0002\\_contract\\]",
    ],
    "migration-accepted": [
        'DROP COLUMN "status";\n```',
        "takes away the column status of orders (allowed in the stack",
    ],
    "crashed": ["`prod`: the preview failed", "the program failed: ValueError (its text may hold values"],
}


@pytest.fixture(scope="module")
def recorded(bare: World) -> dict[str, Recorded]:
    """Every preview of the scenario, each made once."""
    return {each.case: each for each in previews(bare)}


def test_every_preview_tells_its_reviewer_what_matters(recorded: dict[str, Recorded]) -> None:
    assert recorded.keys() == SAID.keys()
    missing = {(case, text) for case, texts in SAID.items() for text in texts if text not in shown(recorded[case])}
    assert missing == set()


def test_a_preview_ends_with_an_error_exactly_where_the_comment_tells_of_a_refusal(
    recorded: dict[str, Recorded],
) -> None:
    failed = {case for case, each in recorded.items() if each.exit_code}
    assert failed == {case for case, each in recorded.items() if "[!CAUTION]" in shown(each)}
    assert failed == {case for case in recorded if case.startswith(("refused", "crashed"))}


@pytest.mark.parametrize("case", ["promotion", "migration"])
def test_a_user_reads_each_review_once(recorded: dict[str, Recorded], case: str) -> None:
    _, _, diagnostics = recorded[case].terminal.partition("\nDiagnostics:\n")
    entries = read_review(recorded[case].file).entries
    assert entries
    lines = [line.strip() for line in diagnostics.splitlines()]
    for entry in entries:
        block = [line.strip() for line in render(entry).splitlines()]
        starts = [place for place, line in enumerate(lines) if line == block[0]]
        assert len(starts) == 1, diagnostics
        assert lines[starts[0] : starts[0] + len(block)] == block


def test_no_password_of_the_world_is_in_any_comment(bare: World, recorded: dict[str, Recorded]) -> None:
    secrets = {bare.cloud.neon_api_key, bare.cloud.vercel_api_token, "made-up-word"}
    for stack, branch in (("dev", "dev"), ("prod", "prod-v1"), ("prod", "prod-v2")):
        secrets.add(bare.owner_url(stack, branch).split("@", maxsplit=1)[0].rsplit(":", 1)[1])
    comments = "\n".join(shown(each) for each in recorded.values())
    assert [secret for secret in secrets if secret in comments] == []


def test_a_drift_is_an_error_of_the_nightly_preview_and_is_told_by_its_comment(
    bare: World, recorded: dict[str, Recorded]
) -> None:
    assert recorded["crashed"].exit_code
    program = bare.folder / "__main__.py"
    program.write_text(program.read_text().replace("\nraise ValueError", "\n# raise ValueError"))
    handler = bare.folder / "app" / "api" / "index.js"
    handler.write_text(handler.read_text().replace("\n// another look\n", ""))
    assert drift(bare, bare.folder.parent / "quiet.jsonl").returncode == 0
    resources = bare.state("prod")["deployment"]["resources"]
    endpoint = next(
        each for each in resources if each["type"].endswith(":Endpoint") and each["urn"].endswith("prod-v2")
    )
    url = f"{bare.cloud.neon_api_host}/projects/{endpoint['inputs']['projectId']}/endpoints/{endpoint['id']}"
    headers = {"Authorization": f"Bearer {bare.cloud.neon_api_key}"}
    httpx.patch(url, headers=headers, json={"endpoint": {"autoscaling_limit_max_cu": 8}}).raise_for_status()
    file = bare.folder.parent / "drift.jsonl"
    done = drift(bare, file)
    assert done.returncode != 0
    text = comment(read_preview(done.stdout), read_review(file))
    assert "`prod`: 1 resource changes, `prod-v2` goes on serving" in text
    assert "| `prod-v2` | 1 to 8 CU, never suspends | 1 to 4 CU, never suspends |" in text
    assert record(bare, "after").exit_code == 0


def drift(world: World, review: Path) -> subprocess.CompletedProcess[str]:
    """Run what drift.yml runs."""
    return subprocess.run(
        ["pulumi", "preview", "-s", "prod", "--refresh", "--expect-no-changes", "--json", "--non-interactive"],
        cwd=world.folder,
        env=world.environment | {VARIABLE: str(review)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def shown(each: Recorded) -> str:
    return comment(read_preview(each.text, each.stack), read_review(each.file))
