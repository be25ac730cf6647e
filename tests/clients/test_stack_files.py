"""Stacks that were renamed keep the name of their environment in their file, where other stacks find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from environments.clients.stack_files import SameNameError, renamed_stacks


def write(folder: Path, stack: str, text: str) -> None:
    (folder / f"Pulumi.{stack}.yaml").write_text(text)


def test_a_stack_that_was_renamed_is_found_by_the_name_of_its_environment(tmp_path: Path) -> None:
    write(tmp_path, "development", "config:\n  shop:environment: dev\n")
    write(tmp_path, "prod", "config:\n  shop:target: production\n")
    write(tmp_path, "eu.staging", "config:\n  shop:environment: staging\n")
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    assert renamed_stacks(tmp_path, "shop") == {"dev": "development", "staging": "eu.staging"}


@pytest.mark.parametrize(
    "text", ["", "config:", "- 1", "config: [", "config: {shop:environment: null}", "encryptionsalt: x"]
)
def test_a_file_that_names_nothing_or_can_not_be_read_stands_for_its_stack(tmp_path: Path, text: str) -> None:
    write(tmp_path, "dev", text)
    assert renamed_stacks(tmp_path, "shop") == {}


def test_two_stacks_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "development", "config:\n  shop:environment: dev\n")
    write(tmp_path, "dev", "config: {}\n")
    with pytest.raises(
        SameNameError, match=r"the stacks dev and development are both called dev.*Correct shop:environment in"
    ):
        renamed_stacks(tmp_path, "shop")
