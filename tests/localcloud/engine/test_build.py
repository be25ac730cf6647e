"""The build of the engine, with a made-up Go in the place of the real one."""

import os
from pathlib import Path

import pytest

from localcloud.engine.build import BuildError, build, find_go, required_go


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` that a test writes, the only one on PATH."""
    folder = tmp_path / "go-bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder / "go"


def script(file: Path, *, version: str = "go1.26.8", toolchain: str = "auto", build: str = "") -> None:
    file.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        f"env) printf '{version}\\n{toolchain}\\n';;\n"
        "list) printf 'one\\ntwo\\nthree\\n';;\n"
        f"build) {build or 'true'};;\n"
        "esac\n"
    )
    file.chmod(0o755)


def test_a_missing_go_is_told_with_the_version_that_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        BuildError, match=r"go is not on PATH: Go 1\.25\.11 or newer builds the Pulumi engine; install it"
    ):
        build("3.259.0", tmp_path / "pulumi")


@pytest.mark.parametrize(
    ("version", "toolchain", "hint"),
    [("go1.19.8", "", False), ("go1.24.4", "local", True), ("go1.25.10", "local", True)],
)
def test_a_go_that_is_too_old_is_told_with_the_remedy(go: Path, version: str, toolchain: str, *, hint: bool) -> None:
    script(go, version=version, toolchain=toolchain)

    with pytest.raises(BuildError, match=r"1\.25\.11") as error:
        find_go()

    assert version in str(error.value)
    assert ("GOTOOLCHAIN=auto" in str(error.value)) is hint


@pytest.mark.parametrize(
    ("version", "toolchain"), [("go1.24.4", "auto"), ("go1.25.11", "local"), ("go1.26.8", "local")]
)
def test_a_go_that_is_new_enough_or_fetches_one_will_do(go: Path, version: str, toolchain: str) -> None:
    script(go, version=version, toolchain=toolchain)

    assert find_go() == str(go)


def test_the_needed_version_is_the_one_of_the_module() -> None:
    assert required_go() == (1, 25, 11)


def test_a_build_appears_in_one_step_and_tells_its_progress(
    go: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localcloud.engine.build._REPORT_SECONDS", 0.1)
    cli = tmp_path / "pulumi"
    script(go, build='echo example.test/one >&2; sleep 0.3; shift 5; echo built > "$1"')

    build("3.259.0", cli)

    assert cli.read_text() == "built\n"
    assert list(tmp_path.glob(".pulumi*")) == []
    told = capfd.readouterr().err
    assert "building pulumi 3.259.0" in told
    assert "0:00 compiled 1 of 3 packages example.test/one" in told


def test_a_failed_build_gives_the_compilers_reason_and_leaves_what_was_there(go: Path, tmp_path: Path) -> None:
    cli = tmp_path / "pulumi"
    cli.write_text("old")
    script(go, build="echo no space left >&2; exit 1")

    with pytest.raises(BuildError, match="no space left"):
        build("3.259.0", cli)

    assert cli.read_text() == "old"
