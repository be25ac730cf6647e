"""Which engine is used, with made-up executables in the place of real ones."""

import os
import threading
import time
from pathlib import Path

import pytest

from localcloud.engine import environment, install_plugins, installation
from localcloud.engine.scripts import LANGUAGE_HOST, is_stand_in


def executable(file: Path, version: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho v{version}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Each build that was asked for; it takes a while and leaves a pulumi of the version."""
    done: list[Path] = []

    def build(version: str, cli: Path) -> None:
        time.sleep(0.1)
        cli.unlink(missing_ok=True)
        executable(cli, version)
        done.append(cli)

    monkeypatch.setattr(installation, "build", build)
    return done


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is first on PATH, before the shell's own."""
    folder = tmp_path / "on-path"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    return tmp_path / "tools"


@pytest.mark.usefixtures("path")
def test_without_a_pulumi_one_is_built_once_with_its_hosts_beside_it(tools: Path, builds: list[Path]) -> None:
    assert installation.ensure(tools) == tools / "bin" / "pulumi"
    installation.ensure(tools)

    assert builds == [tools / "bin" / "pulumi"]
    for name in LANGUAGE_HOST:
        assert os.access(tools / "bin" / name, os.X_OK)


def test_a_pulumi_that_is_too_old_is_passed_over(tools: Path, path: Path, builds: list[Path]) -> None:
    executable(path / "pulumi", "3.258.1")

    installation.ensure(tools)

    assert len(builds) == 1


def test_a_new_enough_pulumi_with_the_official_hosts_is_linked_and_ours_step_back(
    tools: Path, path: Path, builds: list[Path]
) -> None:
    installation.ensure(tools)
    official = executable(path / "pulumi", "3.300.0")
    for name in LANGUAGE_HOST:
        executable(path / name)

    cli = installation.ensure(tools)

    assert cli.resolve() == official.resolve()
    assert not any((tools / "bin" / name).exists() for name in LANGUAGE_HOST)
    assert len(builds) == 1


def test_a_new_enough_pulumi_without_the_official_hosts_is_copied_to_ours(
    tools: Path, path: Path, builds: list[Path]
) -> None:
    executable(path / "pulumi", "3.259.0-dev.1")

    cli = installation.ensure(tools)

    assert builds == []
    assert not cli.is_symlink()
    assert all(is_stand_in(tools / "bin" / name) for name in LANGUAGE_HOST)


@pytest.mark.usefixtures("path")
def test_the_tools_folder_on_path_does_not_count_as_an_installed_pulumi(
    tools: Path, builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.ensure(tools)
    monkeypatch.setenv("PATH", f"{tools / 'bin'}{os.pathsep}{os.environ['PATH']}")

    assert not installation.ensure(tools).is_symlink()
    assert len(builds) == 1


@pytest.mark.usefixtures("path")
def test_another_version_in_the_tools_folder_is_rebuilt(tools: Path, builds: list[Path]) -> None:
    executable(tools / "bin" / "pulumi", "3.100.0")

    installation.ensure(tools)

    assert len(builds) == 1


@pytest.mark.usefixtures("path")
def test_two_at_once_build_once(tools: Path, builds: list[Path]) -> None:
    both = [threading.Thread(target=installation.ensure, args=(tools,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert len(builds) == 1


def test_plugins_are_installed_where_the_engine_looks_and_left_alone_when_current(tmp_path: Path) -> None:
    install_plugins(tmp_path)
    files = sorted(tmp_path.glob("plugins/*/pulumi-resource-*"))
    before = [file.stat().st_mtime_ns for file in files]

    install_plugins(tmp_path)

    assert [str(file.relative_to(tmp_path / "plugins")) for file in files] == [
        "resource-terraform-provider-v3.136.0/pulumi-resource-terraform-provider",
        "resource-vercel-v5.21.1/pulumi-resource-vercel",
    ]
    assert [file.stat().st_mtime_ns for file in files] == before


def test_the_environment_keeps_what_was_there_and_never_asks_a_proxy_for_this_machine(tmp_path: Path) -> None:
    found = environment(tmp_path, tmp_path / "home", {"PATH": "/usr/bin", "no_proxy": "internal.test"})

    assert found["PATH"] == f"{tmp_path / 'bin'}{os.pathsep}/usr/bin"
    assert found["NO_PROXY"] == found["no_proxy"] == "127.0.0.1,localhost,internal.test"
    assert found["PULUMI_HOME"] == str(tmp_path / "home")
    assert environment(tmp_path, tmp_path / "home", found) == found
