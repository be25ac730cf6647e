"""Renews the golden files: `python -m tests.commands.report.record`, on the local cloud.

With `--comments` only the comments, from the previews and reviews that are there. Of a preview nothing is kept but the
fields that a comment is made from; ids, which differ from run to run, are numbered.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from environments.commands.report.comment import comment
from environments.commands.report.preview import read_preview
from environments.review.file import read_review
from localcloud import engine, lifecycle
from localcloud.cloud import ROOT
from tests.commands.report.scenario import previews
from tests.e2e.conftest import make_world

GOLDEN = Path(__file__).parent / "golden"
SAMPLE = ROOT / "docs" / "workflows.md"
"""Shows one of the comments, between the only fences of four."""
FENCE = "````markdown\n"
_SETTINGS = ("branches", "serve", "target")
_SIZES = ("autoscalingLimitMinCu", "autoscalingLimitMaxCu", "suspendTimeoutSeconds")
_BETWEEN = "\0"
_IDS = re.compile(
    r"\bbr(?:-[a-z]+){2}-\d{8}|\bep(?:-[a-z]+){2}-\d{8}|\b[a-z]+-[a-z]+-\d{8}\b|\bprj_\w+|\bdpl_\w+|\benv_\w+"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b|\b[0-9a-f]{16,64}\b|(?<=shop-)[a-z0-9]{9}(?=-)"
    r"|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)"
)


def main() -> None:
    """Record the previews where they are asked for, then write each one's comment."""
    parser = argparse.ArgumentParser(prog="python -m tests.commands.report.record", description=__doc__)
    parser.add_argument("--comments", action="store_true", help="only the comments, from the previews that are there")
    if not parser.parse_args().comments:
        _record()
    for preview in sorted(GOLDEN.glob("*.json")):
        preview.with_suffix(".md").write_text(_comment(preview.read_text(), preview.with_suffix(".jsonl")))
    text = SAMPLE.read_text()
    start, end = text.index(FENCE) + len(FENCE), text.rindex("````")
    SAMPLE.write_text(text[:start] + (GOLDEN / "promotion-accepted.md").read_text() + text[end:])


def _comment(preview: str, review: Path) -> str:
    return comment(read_preview(preview), read_review(review))


def _record() -> None:
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cloud = lifecycle.start(Path(folder) / "cloud").cloud
        try:
            engine.install_plugins(cloud.pulumi_home)
            (world := Path(folder) / "world").mkdir()
            for recorded in previews(make_world(cloud, world, "shop")):
                whole = json.loads(recorded.text)
                preview = json.dumps(_lean(whole), indent=1, sort_keys=True)
                if _comment(preview, recorded.file) != _comment(recorded.text, recorded.file):
                    raise AssertionError(f"{recorded.case}: a comment reads a field that isn't kept here")
                both = _numbered(f"{preview}{_BETWEEN}{recorded.file.read_text()}").replace(folder, "")
                preview, review = both.replace(str(ROOT), "").split(_BETWEEN)
                (GOLDEN / f"{recorded.case}.json").write_text(f"{preview}\n")
                (GOLDEN / f"{recorded.case}.jsonl").write_text(review)
        finally:
            lifecycle.stop(Path(folder) / "cloud")


def _lean(preview: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a preview that a comment is made from."""
    said = [each for each in preview.get("diagnostics", []) if each["severity"] in ("error", "warning")]
    return {
        "config": {key: value for key, value in preview["config"].items() if key.partition(":")[2] in _SETTINGS},
        "diagnostics": [_kept(each, "severity", "message") for each in said],
        "steps": [_step(each) for each in preview["steps"]],
    }


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    kept = _kept(step, "urn", "op", "diffReasons") | ({"provider": "a provider"} if "provider" in step else {})
    states = {name: step[name] for name in ("oldState", "newState") if step.get(name)}
    kind = step["urn"].split("::")[2]
    if kind.endswith(":Endpoint"):
        return kept | {name: {"inputs": _kept(state.get("inputs", {}), *_SIZES)} for name, state in states.items()}
    if kind == "pulumi:pulumi:Stack" and "oldState" in states:
        outputs = _kept(states["oldState"].get("outputs", {}), "branches", "served")
        served = {"served": _kept(outputs["served"], "branch")} if "served" in outputs else {}
        return kept | {"oldState": {"outputs": outputs | served}}
    return kept


def _kept(values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: values[key] for key in keys if values.get(key) is not None}


def _numbered(text: str) -> str:
    numbers: dict[str, str] = {}
    return _IDS.sub(lambda found: numbers.setdefault(found[0], f"id{len(numbers) + 1}"), text)


if __name__ == "__main__":
    main()
