"""Renews the golden files: `python -m tests.commands.report.record`, on the local cloud.

With `--comments` only the comments, from the previews that are there. Of a preview all is kept but what differs from
machine to machine and from run to run: ids are numbered; positions, times, dependencies and byte code are left out.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from environments.commands.report.comment import comment
from environments.commands.report.preview import read_preview
from localcloud import engine, lifecycle
from localcloud.cloud import ROOT
from tests.commands.report.scenario import previews
from tests.e2e.conftest import make_world

GOLDEN = Path(__file__).parent / "golden"
SAMPLE = ROOT / "docs" / "workflows.md"
"""Shows one of the comments, between the only fences of four."""
FENCE = "````markdown\n"
_POSITIONS = {"created", "modified", "duration", "sourcePosition", "stackTrace"}
_GRAPH = {"dependencies", "propertyDependencies", "provider", "__provider"}
_KEPT_AS_SIGN = "provider"
_IDS = re.compile(
    r"\bbr(?:-[a-z]+){2}-\d{8}|\bep(?:-[a-z]+){2}-\d{8}|\b[a-z]+-[a-z]+-\d{8}\b|\bprj_\w+|\bdpl_\w+|\benv_\w+"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b|\b[0-9a-f]{16,64}\b|(?<=shop-)[a-z0-9]{9}(?=-)"
    r"|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)|(?<=project://)/[^\"]*"
)


def main() -> None:
    """Record the previews where they are asked for, then write each one's comment."""
    parser = argparse.ArgumentParser(prog="python -m tests.commands.report.record", description=__doc__)
    parser.add_argument("--comments", action="store_true", help="only the comments, from the previews that are there")
    if not parser.parse_args().comments:
        _record()
    for preview in sorted(GOLDEN.glob("*.json")):
        preview.with_suffix(".md").write_text(comment(read_preview(preview.read_text())))
    text = SAMPLE.read_text()
    start, end = text.index(FENCE) + len(FENCE), text.rindex("````")
    SAMPLE.write_text(text[:start] + (GOLDEN / "promotion-accepted.md").read_text() + text[end:])


def _record() -> None:
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cloud = lifecycle.start(Path(folder) / "cloud").cloud
        try:
            engine.install_plugins(cloud.pulumi_home)
            (world := Path(folder) / "world").mkdir()
            for recorded in previews(make_world(cloud, world, "shop")):
                preview = json.dumps(_lean(json.loads(recorded.text)), indent=1, sort_keys=True)
                preview = preview.replace(folder, "").replace(str(ROOT), "")
                (GOLDEN / f"{recorded.case}.json").write_text(_numbered(preview) + "\n")
        finally:
            lifecycle.stop(Path(folder) / "cloud")


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _lean(each) for key, each in value.items() if key not in _POSITIONS | _GRAPH}
        return kept | ({_KEPT_AS_SIGN: "a provider"} if _KEPT_AS_SIGN in value and "op" in value else {})
    return [_lean(each) for each in value] if isinstance(value, list) else value


def _numbered(text: str) -> str:
    numbers: dict[str, str] = {}
    return _IDS.sub(lambda found: numbers.setdefault(found[0], f"id{len(numbers) + 1}"), text)


if __name__ == "__main__":
    main()
