"""The generated SDK in the repository."""

import json
from pathlib import Path

from localcloud.engine.sdk import SDK, generate


def test_the_committed_sdk_is_what_the_generator_writes_today(tmp_path: Path) -> None:
    generate(tmp_path)

    fresh = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert len(fresh) > 15
    stale = [str(name) for name, content in fresh.items() if not _same(SDK / name, content)]
    assert stale == [], "run `python -m localcloud.engine.sdk`"
    left = [file for file in (SDK / "pulumi_neon").rglob("*.py") if file.relative_to(SDK) not in fresh]
    assert left == []


def _same(file: Path, content: bytes) -> bool:
    return file.exists() and file.read_bytes() == content


def test_its_metadata_names_the_community_provider_and_its_bridge() -> None:
    plugin = json.loads((SDK / "pulumi_neon" / "pulumi-plugin.json").read_text())

    value = plugin["parameterization"].pop("value")
    assert plugin == {
        "resource": True,
        "name": "terraform-provider",
        "version": "3.136.0",
        "parameterization": {"name": "neon", "version": "0.15.0"},
    }
    assert len(value) == 100
