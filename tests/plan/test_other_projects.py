"""Branches in other Neon projects than the environment's: which they lie in, and which settings can't be."""

from __future__ import annotations

from typing import Any

import pytest

from environments.plan.plan import plan
from environments.settings import SettingsError, read_settings
from tests.settings.test_settings import DEV, DIGESTS, stack_file
from tests.settings.wrong_settings import FROM_DEV

NEWER = "new-frost-12345678"
COPY = {"from": {"branch": "prod-v1"}, "project": NEWER, "copy": "dump"}


def planned(branches: dict[str, Any]) -> dict[str, tuple[str | None, bool]]:
    settings = read_settings(stack_file("prod", branches=branches), "prod")
    return {branch.name: (branch.project, branch.copied) for branch in plan(settings, "prod", DEV, DIGESTS).branches}


def test_a_branch_lies_in_its_own_project_or_its_parents() -> None:
    branches = {"prod-v1": FROM_DEV, "prod-v2": COPY, "prod-v3": {"from": {"branch": "prod-v2"}}}
    assert planned(branches) == {"prod-v1": (None, False), "prod-v2": (NEWER, True), "prod-v3": (NEWER, False)}


@pytest.mark.parametrize(
    ("branch", "told"),
    [
        (COPY | {"copy": None}, "filled by dump and restore. Write both project and copy: dump"),
        (COPY | {"project": None}, "filled by dump and restore. Write both project and copy: dump"),
        (COPY | {"from": None}, "needs a source. Add from"),
        (
            COPY | {"at": "2026-11-01T12:00:00Z"},
            "a dump holds the rows of the moment when it is made, and the branch stays. Remove at",
        ),
        (COPY | {"project": "newer"}, "a Neon project id looks like late-frost-12345678"),
        (COPY | {"copy": "replication"}, "it must be 'dump'"),
    ],
)
def test_what_makes_no_copy_is_refused(branch: dict[str, Any], told: str) -> None:
    written = {key: value for key, value in branch.items() if value is not None}
    with pytest.raises(SettingsError) as refused:
        planned({"prod-v1": FROM_DEV, "prod-v2": written})
    assert told in str(refused.value)
