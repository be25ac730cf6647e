"""No secret gets into a comment: unknown fields aren't read, credentials in what is said are taken out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from environments.ids import BranchKey
from environments.review import model
from environments.review.model import Entry, Line, MigrationReview, MoveReview, PendingMigration, Refusal
from tests.commands.report.test_comment import CASES, GOLDEN, error, recorded, reviewed, said, shown

CANARY = "canary-7d1f2b"


def poisoned(value: Any) -> Any:
    """Return the JSON with a raw secret and a masked one beside all that is there, at every depth."""
    if isinstance(value, dict):
        unknown = {"password": CANARY, f"{CANARY}-key": "[secret]", "value": CANARY, "connectionUri": CANARY}
        return {key: poisoned(each) for key, each in value.items()} | unknown
    return [poisoned(each) for each in value] if isinstance(value, list) else value


def structural(preview: dict[str, Any]) -> dict[str, Any]:
    """Return the poisoned preview; the maps whose keys are names keep their own keys."""
    found: dict[str, Any] = poisoned(preview)
    for step in found["steps"]:
        outputs = step.get("oldState", {}).get("outputs", {})
        if isinstance(outputs, dict) and "branches" in outputs:
            outputs["branches"] = {
                key: CANARY for key in outputs["branches"] if CANARY not in key and key.startswith(("prod", "dev"))
            }
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_field_that_is_not_known_is_never_shown(case: str) -> None:
    text = shown(structural(recorded(case)), reviewed(case))
    assert CANARY not in text
    assert "[secret]" not in text
    assert text == shown(recorded(case), reviewed(case))


@pytest.mark.parametrize("case", ["promotion", "rollback"])
def test_what_the_known_fields_lead_to_is_a_name_and_not_a_value(case: str) -> None:
    preview = recorded(case)
    for step in preview["steps"]:
        for state in ("oldState", "newState"):
            for where in ("inputs", "outputs"):
                values = step.get(state, {}).get(where, {})
                for key in values:
                    if not isinstance(values[key], dict) and key not in ("branches", "served"):
                        values[key] = CANARY
    assert CANARY not in shown(preview, reviewed(case))


def test_settings_that_are_secret_leave_the_lineage_out_instead_of_showing_a_mask() -> None:
    preview = recorded("promotion")
    preview["config"] = dict.fromkeys(preview["config"], "[secret]")
    text = shown(preview, reviewed("promotion"))
    assert "[secret]" not in text
    assert "mermaid" not in text


CREDENTIALS = [
    f"postgresql://owner:{CANARY}@ep-x.neon.tech/neondb can't be reached",
    f"can't connect: host=x password={CANARY} user=y",
    f"the key napi_{CANARY.replace('-', '')} is not known",
]


@pytest.mark.parametrize("severity", ["error", "warning"])
@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_are_taken_out_of_what_others_say(severity: str, text: str) -> None:
    preview = recorded("nothing-to-do")
    preview["diagnostics"] = [error(text, severity)]
    hidden(shown(preview))


@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_are_taken_out_of_every_text_of_a_review(text: str) -> None:
    branch = BranchKey("prod-v1")
    entries: tuple[Entry, ...] = (
        MoveReview(kind="first", title=text, lines=(), now=branch),
        MoveReview(kind="first", title="", lines=(Line(label="data", text=text),), now=branch),
        MigrationReview(branch=branch, title="", pending=(PendingMigration(tag="1", sql=text),)),
        MigrationReview(branch=branch, title=text, warnings=(text,)),
        model.Warning(text=text),
        Refusal(text=text),
    )
    for entry in entries:
        hidden(shown(recorded("nothing-to-do"), said(entry)))


def hidden(markdown: str) -> None:
    assert CANARY not in markdown
    assert CANARY.replace("-", "") not in markdown
    assert "***" in markdown.replace("\\*", "*")


def test_of_a_crash_only_the_exceptions_name_is_shown() -> None:
    preview = recorded("crashed")
    crash = (
        f'Traceback (most recent call last):\n  File "x.py", line 1\n    f("{CANARY}")\nValueError: {CANARY}\n  more\n'
    )
    preview["diagnostics"] = [error(f"the program failed:\n{crash}")]
    for text in (shown(preview), shown(recorded("nothing-to-do"), said(Refusal(text=f"the program failed:\n{crash}")))):
        assert CANARY not in text
        assert "> the program failed: ValueError (its text may hold values, so it isn't shown here" in text
    assert "the preview failed" in shown(preview)


def test_the_recorded_previews_hold_no_secret_themselves() -> None:
    for case in CASES:
        text = json.dumps(recorded(case)) + (GOLDEN / f"{case}.jsonl").read_text()
        assert "postgresql://neondb_owner" not in text
        assert "SCRAM" not in text
