"""Copies of the program, made from a small checkout."""

from pathlib import Path

import pytest

from localcloud.workspace import WorkspaceError, make_workspace


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in (
        "Pulumi.yaml",
        "Pulumi.dev.yaml",
        "Pulumi.prod.yaml",
        "__main__.py",
        "requirements.txt",
        "components/branch.py",
        "components/__pycache__/neon.pyc",
        "plugin/pulumi-resource-environments",
        "environments/resources/cutover.py",
        "app/package.json",
        "app/node_modules/pg/index.js",
        "sdks/neon/pulumi_neon/__init__.py",
        "localcloud/cloud.py",
        "tests/test_x.py",
        ".venv/bin/python",
    ):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return root


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_copy_holds_the_program_and_nothing_else(checkout: Path, tmp_path: Path) -> None:
    copy = make_workspace(checkout, tmp_path / "copy")
    assert {name for name in files(copy) if not name.startswith(".venv")} == {
        "Pulumi.yaml",
        "Pulumi.dev.yaml",
        "Pulumi.prod.yaml",
        "__main__.py",
        "requirements.txt",
        "components/branch.py",
        "plugin/pulumi-resource-environments",
        "app/package.json",
    }
    assert (copy / ".venv").resolve() == checkout / ".venv"


def test_a_copys_requirements_name_the_library_where_it_is(checkout: Path, tmp_path: Path) -> None:
    (checkout / "requirements.txt").write_text("pulumi==3.259.0\n# The library.\n.\n")
    copy = make_workspace(checkout, tmp_path / "copy")
    assert (copy / "requirements.txt").read_text() == f"pulumi==3.259.0\n# The library.\n{checkout}\n"


def test_writing_into_a_copy_leaves_the_checkout_alone(checkout: Path, tmp_path: Path) -> None:
    copy = make_workspace(checkout, tmp_path / "copy")
    for name in files(copy):
        if not name.startswith(".venv"):
            (copy / name).write_text("changed")
    assert (checkout / "Pulumi.prod.yaml").read_text() == "Pulumi.prod.yaml"
    assert (checkout / "components/branch.py").read_text() == "components/branch.py"


def test_a_second_copy_needs_force_and_renews_the_program_only(checkout: Path, tmp_path: Path) -> None:
    copy = make_workspace(checkout, tmp_path / "copy")
    (copy / "notes.txt").write_text("mine")
    (copy / "Pulumi.staging.yaml").write_text("of an earlier copy")
    (copy / "components/gone.py").write_text("of an earlier copy")
    (copy / "Pulumi.prod.yaml").write_text("edited")
    with pytest.raises(WorkspaceError, match="--force"):
        make_workspace(checkout, copy)
    assert (copy / "Pulumi.prod.yaml").read_text() == "edited"
    make_workspace(checkout, copy, replace=True)
    assert (copy / "Pulumi.prod.yaml").read_text() == "Pulumi.prod.yaml"
    assert (copy / "notes.txt").read_text() == "mine"
    assert not (copy / "Pulumi.staging.yaml").exists()
    assert not (copy / "components/gone.py").exists()


def test_a_folder_that_is_no_copy_is_never_replaced(checkout: Path, tmp_path: Path) -> None:
    precious = tmp_path / "home"
    (precious / "app").mkdir(parents=True)
    (precious / "app" / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkspaceError, match="no copy of the program"):
        make_workspace(checkout, precious, replace=True)
    assert (precious / "app" / "thesis.txt").exists()


@pytest.mark.parametrize("place", [".", "..", "components", "app/copy"])
def test_the_checkout_itself_is_no_place_for_a_copy(checkout: Path, place: str) -> None:
    before = files(checkout)
    with pytest.raises(WorkspaceError, match="part of the checkout"):
        make_workspace(checkout, checkout / place, replace=True)
    assert files(checkout) == before


def test_a_copy_below_the_state_folder_is_fine(checkout: Path) -> None:
    copy = make_workspace(checkout, checkout / ".local" / "work")
    assert not (copy / ".local").exists()


def test_a_folder_without_a_program_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"Pulumi\.yaml, __main__\.py, components"):
        make_workspace(tmp_path, tmp_path / "copy")
