"""The lock files hold what requirements*.txt pin, with hashes and without the address of a registry."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
MADE_FROM = {
    "requirements.lock": ("requirements.txt",),
    "requirements-dev.lock": ("requirements.txt", "requirements-dev.txt"),
}


def asked(text: str) -> list[Requirement]:
    """The requirements that come from a registry; a folder of this tree does not."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(".")]


def locked(text: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Each package of a lock file by its name, with its hashes."""
    joined = text.replace("\\\n", " ")
    lines = [line.partition("#")[0].strip() for line in joined.splitlines()]
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for line in filter(None, lines):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        found[canonicalize_name(Requirement(requirement).name)] = (Requirement(requirement), hashes)
    return found


def disagreement(requirements: str, lock: str) -> list[str]:
    """The requirements that the lock does not have with the same version."""
    found = locked(lock)
    wrong = []
    for requirement in asked(requirements):
        pinned, _ = found.get(canonicalize_name(requirement.name), (None, []))
        if pinned is None or str(pinned.specifier) != str(requirement.specifier):
            wrong.append(f"{requirement}: run make lock")
    return wrong


def read(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("lock", MADE_FROM)
def test_the_locks_have_the_pinned_versions(lock: str) -> None:
    assert [disagreement(read(file), read(lock)) for file in MADE_FROM[lock]] == [[] for _ in MADE_FROM[lock]]


@pytest.mark.parametrize("file", MADE_FROM["requirements-dev.lock"])
def test_every_requirement_names_one_version(file: str) -> None:
    found = asked(read(file))
    assert len(found) > 5
    assert [str(each) for each in found if not re.fullmatch(r"==[\w.]+", str(each.specifier))] == []


def test_both_locks_have_the_same_versions() -> None:
    program, all_of_it = locked(read("requirements.lock")), locked(read("requirements-dev.lock"))
    assert len(program) < len(all_of_it)
    assert [name for name, each in program.items() if all_of_it.get(name) != each] == []


@pytest.mark.parametrize("lock", MADE_FROM)
def test_each_package_has_one_version_and_hashes(lock: str) -> None:
    found = locked(read(lock))
    assert [str(each) for each, _ in found.values() if not re.fullmatch(r"==[\w.]+", str(each.specifier))] == []
    assert [str(each) for each, hashes in found.values() if not hashes] == []
    assert {
        each for _, hashes in found.values() for each in hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", each)
    } == set()


@pytest.mark.parametrize("lock", MADE_FROM)
def test_a_lock_names_no_registry(lock: str) -> None:
    text = read(lock)
    assert [
        each for each in ("://", "--index-url", "--extra-index-url", "--find-links", "file:", " @ ") if each in text
    ] == []


def test_the_installed_versions_are_the_locked_ones() -> None:
    found = [each for each, _ in locked(read("requirements-dev.lock")).values()]
    here = [each for each in found if each.marker is None or each.marker.evaluate()]
    assert {each.name: f"=={version(each.name)}" for each in here} == {each.name: str(each.specifier) for each in here}


@pytest.mark.parametrize(
    ("requirements", "told"),
    [
        ("some==1.0\n./sdks/neon  # a folder\n", []),
        ("Some==1.0", []),
        ("some==1.1", ["some==1.1: run make lock"]),
        ("other==1.0  # new", ["other==1.0: run make lock"]),
        ("some[more]==1.0", []),
    ],
)
def test_an_edit_of_the_requirements_needs_a_new_lock(requirements: str, told: list[str]) -> None:
    lock = f"# made\nsome==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'1' * 64}\n    # via nobody\n"
    assert disagreement(requirements, lock) == told
