"""Every package that we need has a permissive licence, or is an exception with a reason.

The walk begins at requirements.txt and requirements-dev.txt, and follows the requirements of each installed package.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Protocol

import pytest
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "requirements-dev.txt")

PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT"),
    *("MIT-0", "PostgreSQL", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
}

EXCEPTIONS = {
    ("psycopg", "LGPL-3.0-only"): "we import it unchanged, and users can replace it by another version",
    ("psycopg-binary", "LGPL-3.0-only"): "the same",
    ("certifi", "MPL-2.0"): "MPL covers its own files only; it is data, and httpx imports it unchanged",
    ("hypothesis", "MPL-2.0"): "MPL covers its own files only; the tests use it, we don't ship it",
    ("pathspec", "MPL-2.0"): "MPL covers its own files only; mypy uses it, we don't ship it",
}
"""A licence that isn't permissive, allowed for one package, and the reason."""

OURS = {"environments", "pulumi-neon"}
"""Packages of this tree, under its LICENSE. The SDK is generated and names no licence."""

OLD_NAMES = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "gpl": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "mit license": "MIT",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""What the field License (in small letters) and the classifiers call a licence, and its name in SPDX."""


class Metadata(Protocol):
    """What we ask of a package's metadata."""

    def get_all(self, name: str, /) -> list[Any] | None: ...


def objection(name: str, metadata: Metadata) -> str:
    """Why we must not need a package with this metadata; "" if we may."""
    named = list(licences(metadata))
    allowed = PERMISSIVE | {licence for package, licence in EXCEPTIONS if package == name}
    wrong = [each for each in named if not permits(each, allowed)]
    if wrong or not named:
        return f"{name}: {', '.join(wrong) or 'it names no licence that we can read'}"
    return ""


def licences(metadata: Metadata) -> Iterator[str]:
    """The licences of a package, each of which counts; an expression replaces the older fields."""
    expressions = metadata.get_all("License-Expression")
    if expressions:
        yield from expressions
        return
    for text in metadata.get_all("License") or ():
        if text.strip() and "\n" not in text.strip() and text.upper() != "UNKNOWN":
            yield OLD_NAMES.get(text.lower(), text)
    for classifier in metadata.get_all("Classifier") or ():
        kind, _, called = classifier.rpartition(" :: ")
        if kind.startswith("License"):
            yield OLD_NAMES.get(called, called)


def permits(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression offers a choice in which every licence is allowed."""
    try:
        found = str(canonicalize_license_expression(expression))
    except InvalidLicenseExpression:
        return False
    found = re.sub(r" WITH \S+?(?=[ )]|$)", "", found)  # an exception only permits more
    while "(" in found:
        found = re.sub(r"\(([^()]*)\)", lambda inner: "yes" if flat(inner[1], allowed) else "no", found)
    return flat(found, allowed)


def flat(expression: str, allowed: set[str]) -> bool:
    return any(all(each in allowed | {"yes"} for each in part.split(" AND ")) for part in expression.split(" OR "))


def named_in(file: Path) -> Iterator[Requirement]:
    """The requirements of a file; for a folder in it, those of the project there."""
    for line in file.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("."):
            project = tomllib.loads((ROOT / text / "pyproject.toml").read_text())["project"]
            yield from map(Requirement, project["dependencies"])
        elif text:
            yield Requirement(text)


def needed(requirements: list[Requirement], find: Callable[[str], Distribution]) -> dict[str, Distribution]:
    """Every package that these need here, themselves among them. Raises PackageNotFoundError if one isn't installed."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    left = [(each, "") for each in requirements]
    while left:
        requirement, extra = left.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found[name] = find(name)
        for asked in ("", *requirement.extras):
            if (name, asked) not in seen:
                seen.add((name, asked))
                left += [(Requirement(each), asked) for each in found[name].requires or ()]
    return found


def objections(requirements: list[Requirement], find: Callable[[str], Distribution] = distribution) -> list[str]:
    found = [objection(name, each.metadata) for name, each in needed(requirements, find).items() if name not in OURS]
    return sorted(each for each in found if each)


def test_everything_that_we_need_has_a_permissive_licence() -> None:
    requirements = [each for file in FILES for each in named_in(ROOT / file)]
    assert len(requirements) > 15
    assert objections(requirements) == []


def test_the_walk_reaches_what_is_needed_by_what_we_need() -> None:
    found = needed([each for file in FILES for each in named_in(ROOT / file)], distribution)
    assert {"pulumi", "grpcio", "psycopg-binary", "semver", "certifi", "pathspec", "protobuf"} <= found.keys()
    assert ("colorama" in found) == (sys.platform == "win32")


def test_every_exception_is_still_used() -> None:
    found = needed([each for file in FILES for each in named_in(ROOT / file)], distribution)
    used = {(name, licence) for name, each in found.items() for licence in licences(each.metadata)}
    assert EXCEPTIONS.keys() - used == set()


def metadata(*fields: tuple[str, str]) -> Message:
    made = Message()
    for field, value in fields:
        made[field] = value
    return made


GPL = "License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)"
MIT = "License :: OSI Approved :: MIT License"


@pytest.mark.parametrize(
    "fields",
    [
        [("License-Expression", "GPL-3.0-or-later")],  # as pglast has it
        [("License-Expression", "MIT AND GPL-2.0-only")],
        [("License-Expression", "MIT AND (GPL-2.0-only OR AGPL-3.0-only)")],
        [("License-Expression", "LGPL-3.0-only")],
        [("License-Expression", "MPL-2.0")],
        [("License-Expression", "GPL-2.0-only WITH Classpath-exception-2.0")],
        [("License-Expression", "LicenseRef-Proprietary")],
        [("License", "GPL")],
        [("License", "GPLv3")],
        [("License", "MIT"), ("Classifier", GPL)],
        [("Classifier", MIT), ("Classifier", GPL)],
        [("Classifier", "License :: Other/Proprietary License")],
        [("Classifier", "Topic :: Software Development"), ("License", "UNKNOWN")],
        [("License", "Everybody may\nread this")],
        [],
    ],
)
def test_a_licence_that_is_not_permissive_or_missing_is_refused(fields: list[tuple[str, str]]) -> None:
    assert objection("some", metadata(*fields)).startswith("some: ")


@pytest.mark.parametrize(
    "fields",
    [
        [("License-Expression", "MIT")],
        [("License-Expression", "Apache-2.0 AND MIT")],
        [("License-Expression", "MIT OR GPL-3.0-only")],
        [("License-Expression", "(MIT OR GPL-3.0-only) AND (ISC OR LGPL-3.0-only)")],
        [("License-Expression", "Apache-2.0 WITH LLVM-exception"), ("Classifier", GPL)],
        [("License", "3-Clause BSD License")],
        [("License", "Permission is hereby granted\nto everybody"), ("Classifier", MIT)],
        [("Classifier", MIT), ("Classifier", "License :: OSI Approved :: BSD License")],
    ],
)
def test_a_permissive_licence_is_fine(fields: list[tuple[str, str]]) -> None:
    assert objection("some", metadata(*fields)) == ""


def test_an_exception_holds_for_its_package_and_its_licence_alone() -> None:
    lgpl, gpl = (metadata(("License-Expression", each)) for each in ("LGPL-3.0-only", "GPL-3.0-only"))
    assert objection("psycopg", lgpl) == ""
    assert objection("psycopg", gpl) == "psycopg: GPL-3.0-only"
    assert objection("certifi", lgpl) == "certifi: LGPL-3.0-only"


@pytest.fixture
def shelf(tmp_path: Path) -> Callable[[str], Distribution]:
    """Three packages, each needing the next; the last is under the GPL."""
    needs = {"top": "Requires-Dist: middle[more]>=1", "middle": 'Requires-Dist: bottom; extra == "more"', "bottom": ""}
    for name, need in needs.items():
        licence = "GPL-3.0-or-later" if name == "bottom" else "MIT"
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", f"License-Expression: {licence}", need, ""]
        (folder / "METADATA").write_text("\n".join(lines))

    def find(name: str) -> Distribution:
        if name not in needs:
            raise PackageNotFoundError(name)
        return Distribution.at(tmp_path / f"{name}-1.0.dist-info")

    return find


def test_the_walk_finds_a_licence_behind_other_packages_and_extras(shelf: Callable[[str], Distribution]) -> None:
    assert objections([Requirement("top")], shelf) == ["bottom: GPL-3.0-or-later"]
    assert objections([Requirement("middle")], shelf) == []
    assert objections([Requirement('bottom; python_version < "3"')], shelf) == []


def test_a_missing_package_is_an_error(shelf: Callable[[str], Distribution]) -> None:
    with pytest.raises(PackageNotFoundError, match="gone"):
        objections([Requirement("gone")], shelf)
