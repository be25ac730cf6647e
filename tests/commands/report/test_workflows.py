"""The workflows keep their promises: read as GitHub reads them, and their scripts run against a stub of gh."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / ".github").rglob("*.yml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ALLOWED = {"contents": "read", "pull-requests": "write", "issues": "write"}
SECRET = re.compile(r"\$\{\{[^}]*\bsecrets\b")
COMMAND = re.compile(r"pulumi (preview|up|destroy|stack select|stack rm) ")
MARK = "<!-- environments-review:prod -->"


def parsed(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 (strings only, so `on` stays `on`)
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in parsed(path)["jobs"].items():
            yield f"{path.stem}.{name}", job


def steps(path: Path) -> list[dict[str, Any]]:
    """Every step of a workflow or an action; a job that calls another workflow has none."""
    document = parsed(path)
    parts = [document["runs"]] if "runs" in document else list(document["jobs"].values())
    return [step for part in parts for step in part.get("steps", [])]


def test_the_workflows_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["drift", "preview", "promote", "review", "test"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_commit_and_names_its_version(path: Path) -> None:
    used = re.findall(r"uses: *(\S+)(.*)", path.read_text())
    assert used
    foreign = [(action, note) for action, note in used if not action.startswith("./")]
    assert [each for each in foreign if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", each[0])] == []
    assert [each for each in foreign if not re.match(r" # v\d+\.\d+\.\d+", each[1])] == []
    own = [ROOT / action for action, _ in used if action.startswith("./")]
    assert all((each if each.suffix else each / "action.yml").is_file() for each in own)


def test_one_action_has_one_pin() -> None:
    pins = {each for path in FILES for each in re.findall(r"uses: *([^.\s][^@\s]*@\S+)", path.read_text())}
    assert len(pins) == len({pin.split("@")[0] for pin in pins}) == 3


def test_only_expected_events_start_a_workflow() -> None:
    events = {path.stem: parsed(path)["on"] for path in WORKFLOWS}
    assert events["review"] == "pull_request"
    assert events["promote"] == {"push": {"branches": ["main"]}}
    assert set(events["drift"]) == {"schedule", "workflow_dispatch"}
    assert events["test"] == {"push": {"branches-ignore": ["main"]}, "pull_request": "", "workflow_call": ""}
    types = ["opened", "reopened", "synchronize", "closed"]
    assert events["preview"] == {"pull_request": {"types": types, "branches": ["main"]}}
    assert not any(re.search("workflow_run|pull_request_target", path.read_text()) for path in FILES)


def test_a_preview_environment_is_made_by_mains_code_and_of_the_pull_request_there_is_only_a_name() -> None:
    text = (ROOT / ".github/workflows/preview.yml").read_text()
    taken = {"number", "head.ref", "head.repo.full_name"}
    assert set(re.findall(r"github\.event\.pull_request\.([\w.]+)", text)) == taken, "no sha, no title, no body"
    assert not re.search(r"github\.(head_ref|sha|ref)\b|refs/pull|\bgit (fetch|pull|checkout)|gh pr", text)
    for step in steps(ROOT / ".github/workflows/preview.yml"):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"ref": "main", "persist-credentials": "false"}
        elif "uses" in step:
            assert step["uses"] == "./.github/actions/engine"


def test_a_preview_environment_is_one_of_this_repository_and_runs_one_at_a_time() -> None:
    preview = parsed(ROOT / ".github/workflows/preview.yml")
    assert preview["concurrency"]["cancel-in-progress"] == "false"
    assert preview["concurrency"]["group"] == "preview-${{ github.event.pull_request.number }}"
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    for name, sign in (("up", "!="), ("down", "==")):
        assert preview["jobs"][name]["if"] == f"github.event.action {sign} 'closed' && {own}"
        assert preview["jobs"][name]["environment"] == "pull-request"


def test_no_workflow_has_a_permission_and_each_job_has_the_least() -> None:
    assert [path.stem for path in WORKFLOWS if parsed(path).get("permissions") != {}] == []
    for name, job in jobs():
        assert job["permissions"].items() <= ALLOWED.items(), name
        assert len(job["permissions"]) == 1, name


def test_a_job_that_can_write_holds_no_secret_and_runs_no_code_of_the_repository() -> None:
    writing = [(name, job) for name, job in jobs() if "write" in job["permissions"].values()]
    assert {name for name, _ in writing} == {"review.comment", "drift.tell"}
    for name, job in writing:
        assert not SECRET.search(json.dumps(job)), name
        assert "environment" not in job, name
        assert not any("uses" in step for step in job["steps"]), name


def test_a_secret_is_given_to_one_step_of_a_job_with_an_environment() -> None:
    holding = {name: job for name, job in jobs() if SECRET.search(json.dumps(job))}
    assert {name: job["environment"] for name, job in holding.items()} == {
        "review.preview": "production-preview",
        "promote.dev": "development",
        "promote.prod": "production",
        "drift.look": "production-drift",
        "preview.up": "pull-request",
        "preview.down": "pull-request",
    }
    for name, job in holding.items():
        assert not SECRET.search(json.dumps({key: each for key, each in job.items() if key != "steps"})), name
        given = [step for step in job["steps"] if SECRET.search(json.dumps(step))]
        assert len(given) == 1, name
        assert all(COMMAND.match(line) for line in given[0]["run"].splitlines()), name
        assert not SECRET.search(json.dumps({key: each for key, each in given[0].items() if key != "env"})), name
    for path in WORKFLOWS:
        assert not SECRET.search(json.dumps({key: each for key, each in parsed(path).items() if key != "jobs"}))
    assert not SECRET.search((ROOT / ".github/actions/engine/action.yml").read_text())


def test_a_fork_gets_the_checks_and_nothing_else() -> None:
    review = parsed(ROOT / ".github/workflows/review.yml")["jobs"]
    assert "if" not in review["check"]
    assert "environment" not in review["check"]
    assert review["preview"]["if"] == "github.event.pull_request.head.repo.full_name == github.repository"
    assert review["comment"]["needs"] == "preview"
    assert "needs.preview.outputs.comment != ''" in review["comment"]["if"]


def test_production_is_brought_up_after_dev_one_run_at_a_time_and_never_cancelled() -> None:
    promote = parsed(ROOT / ".github/workflows/promote.yml")
    assert promote["concurrency"] == {"group": "promote", "cancel-in-progress": "false"}
    assert "dev" in promote["jobs"]["prod"]["needs"]
    groups = [parsed(path)["concurrency"]["group"] for path in WORKFLOWS]
    assert len(set(groups)) == len(groups), "a waiting run pushes out the one that waits in the same group"


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_nothing_is_brought_up_without_green_tests_of_the_same_commit(stack: str) -> None:
    """A job that needs another one doesn't run when that failed or was skipped, unless its `if` says otherwise."""
    jobs = parsed(ROOT / ".github/workflows/promote.yml")["jobs"]
    assert "tests" in jobs[stack]["needs"]
    assert jobs["tests"]["uses"] == "./.github/workflows/test.yml"
    assert not any({"if", "continue-on-error"} & jobs[job].keys() for job in (stack, "tests"))
    for path in (ROOT / ".github/workflows/promote.yml", ROOT / ".github/workflows/test.yml"):
        for step in steps(path):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert "ref" not in step["with"], "what is checked out is the commit that was pushed"


def test_the_tests_are_all_of_them_on_both_ends_of_the_pythons_and_a_failure_counts() -> None:
    (job,) = parsed(ROOT / ".github/workflows/test.yml")["jobs"].values()
    oldest = re.search(r'requires-python = ">=(\S+)"', (ROOT / "pyproject.toml").read_text())
    assert oldest
    assert job["strategy"]["matrix"] == {"python": [oldest[1], "3.14"]}
    assert job["steps"][-1]["run"] == ".ci/run"
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")
    assert not any({"if", "continue-on-error"} & each.keys() for each in (job, *job["steps"]))
    given = next(step["with"] for step in job["steps"] if step.get("uses") == "./.github/actions/engine")
    assert given == {"python-version": "${{ matrix.python }}"}
    action = parsed(ROOT / ".github/actions/engine/action.yml")
    setup = next(step for step in action["runs"]["steps"] if step.get("uses", "").startswith("actions/setup-python@"))
    assert setup["with"] == {"python-version": "${{ inputs.python-version }}"}
    cancels = parsed(ROOT / ".github/workflows/test.yml")["concurrency"]["cancel-in-progress"]
    assert cancels == "${{ github.ref != 'refs/heads/main' }}", "a promotion waits for the tests on main"


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_promotion_that_fails_says_what_to_do_next(stack: str) -> None:
    last = parsed(ROOT / ".github/workflows/promote.yml")["jobs"][stack]["steps"][-1]
    assert "failure()" in last["if"]
    assert f"environments recover -s {stack}" in last["run"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_script_has_anything_pasted_into_it_and_each_is_a_script(path: Path) -> None:
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert scripts
    for script in scripts:
        assert "${{" not in script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_checkout_leaves_its_token_behind(path: Path) -> None:
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


def test_every_job_ends_in_the_end() -> None:
    own = {name: job for name, job in jobs() if "uses" not in job}
    assert {name for name, job in own.items() if not 0 < int(job["timeout-minutes"]) <= 60} == set()


def test_the_engine_is_the_one_that_the_program_is_written_for() -> None:
    wanted = re.search(r"^pulumi==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert wanted
    assert f"pulumi-version: {wanted[1]}" in (ROOT / ".github/actions/engine/action.yml").read_text()


GH = """#!/bin/sh
echo "$*" >> "$STUB/calls"
while [ $# -gt 0 ]; do
  [ "$1" = --jq ] && { jq -r "$2" < "$STUB/answer"; exit; }
  case "$1" in body=@*) cp "${1#body=@}" "$STUB/body" ;; esac
  shift
done
"""


def run_last(workflow: str, job: str, folder: Path, answer: list[dict[str, Any]], **values: str) -> list[str]:
    """Run the last step of a job with a stub in place of gh; return what it asked of GitHub after its first look."""
    step = parsed(ROOT / f".github/workflows/{workflow}.yml")["jobs"][job]["steps"][-1]
    stub = folder / "gh"
    stub.write_text(GH)
    stub.chmod(0o755)
    (folder / "answer").write_text(json.dumps(answer))
    given = {key: value for key, value in step["env"].items() if "${{" not in value}
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "STUB": str(folder), "RUNNER_TEMP": str(folder)}
    subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env=environment | given | {"REPOSITORY": "o/r", "NUMBER": "7"} | values,
        check=True,
    )
    return (folder / "calls").read_text().splitlines()[1:]


def entry(number: int, body: str | None, login: str = "github-actions[bot]") -> dict[str, Any]:
    return {"id": number, "number": number, "body": body, "user": {"login": login}}


OTHERS = [
    entry(1, "hello", "someone"),
    entry(2, f"{MARK} forged", "someone"),
    entry(3, f"quoting {MARK}"),
    entry(5, None),
]


def test_the_first_review_is_a_new_comment(tmp_path: Path) -> None:
    body = f"{MARK}\n$(touch {tmp_path}/obeyed) `id` %s\n"
    others = [each for each in OTHERS if each["body"]]
    calls = run_last("review", "comment", tmp_path, others, COMMENT=body)
    assert calls == [f"api --silent --method POST repos/o/r/issues/7/comments --field body=@{tmp_path}/comment.md"]
    assert (tmp_path / "body").read_text().strip() == body.strip()
    assert not (tmp_path / "obeyed").exists()


def test_a_later_review_renews_the_comment_that_is_there(tmp_path: Path) -> None:
    answer = [*(each for each in OTHERS if each["body"]), entry(4, f"{MARK}\nold")]
    calls = run_last("review", "comment", tmp_path, answer, COMMENT=f"{MARK}\nnew")
    assert calls == [f"api --silent --method PATCH repos/o/r/issues/comments/4 --field body=@{tmp_path}/comment.md"]


def test_a_drift_makes_the_run_red_after_it_was_reported_and_is_told_all_the_same() -> None:
    jobs = parsed(ROOT / ".github/workflows/drift.yml")["jobs"]
    steps = jobs["look"]["steps"]
    assert [step.get("id") for step in steps[-3:]] == ["preview", "report", None]
    assert steps[-1]["if"] == "steps.preview.outcome != 'success'"
    assert subprocess.run(["bash", "-c", steps[-1]["run"]], check=False).returncode == 1
    assert jobs["tell"]["if"] == "${{ !cancelled() && needs.look.outputs.outcome != '' }}"


@pytest.mark.parametrize(
    ("outcome", "open_issues", "wanted"),
    [
        ("failure", [], ["POST repos/o/r/issues "]),
        ("failure", [entry(9, f"{MARK}\nold")], ["PATCH repos/o/r/issues/9 --field body="]),
        ("success", [entry(9, f"{MARK}\nold")], ["PATCH repos/o/r/issues/9 --field state=closed"]),
        ("success", [], []),
    ],
)
def test_a_drift_has_one_issue_which_closes_when_it_is_gone(
    tmp_path: Path, outcome: str, open_issues: list[dict[str, Any]], wanted: list[str]
) -> None:
    calls = run_last("drift", "tell", tmp_path, [*OTHERS, *open_issues], ISSUE=f"{MARK}\nnew", OUTCOME=outcome)
    assert len(calls) == len(wanted)
    assert all(each in call for each, call in zip(wanted, calls, strict=True))
