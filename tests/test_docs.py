"""What the documents name exists: files and folders of the repository, and headings that links lead to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

ELSEWHERE = {
    ".local/": "what the local cloud holds",
    ".tools/": "what the local cloud built",
    ".venv": "what `make setup` installs",
    ".venv/bin": "the same",
    ".venv/bin/environments": "the same",
    "cloud.json": "in the local cloud's state",
    "daemon.json": "the same",
    "daemon.log": "the same",
    "neon/": "the same",
    "vercel/": "the same",
    "pulumi/backend/": "the same",
    "pulumi/home/": "the same",
    "pulumi/passphrase": "the same",
    "meta/_journal.json": "in a folder of migrations",
    "0001_name.sql": "the same",
    "db/schema.js": "in the app's folder",
}
"""Paths that documents name and that aren't the repository's, with where they are."""

FENCED = re.compile(r"^ *(`{3,})[^`\n]*\n.*?^ *\1 *$\n?", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?")
FILE = re.compile(r".*\w\.(cfg|cjs|js|json|lock|log|md|mjs|py|sh|sql|toml|ts|txt|ya?ml)")
TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith((".venv", ".local", ".tools"))}
BASES = ("", ".github/workflows")
"""The folders from which a document may name a file."""

STIFF = re.compile(r"\b(shall|anew|(is|are) told|made otherwise|(is|are|was|were) there already)\b", re.IGNORECASE)
"""Words that a reader whose first language isn't English reads twice."""


def prose(document: Path) -> str:
    """Return a document without its blocks of code."""
    return FENCED.sub("", document.read_text())


def paths_in(text: str) -> list[tuple[str, str]]:
    """Return each path that stands as code, with the first one of its line: a table's row may name a folder first."""
    found = []
    for line in text.splitlines():
        spans = [span for span in SPAN.findall(line) if _is_path(span)]
        found += [(span, spans[0]) for span in spans]
    return found


def _is_path(span: str) -> bool:
    if not PATH.fullmatch(span):
        return False
    return span in ELSEWHERE or span.endswith("/") or span.partition("/")[0] in TOP or bool(FILE.fullmatch(span))


def exists(path: str, *bases: str) -> bool:
    """Tell whether the repository has `path`, which may hold wildcards, below one of the folders `bases`."""
    found = [each for base in bases for each in (ROOT / base).glob(path.rstrip("/"))]
    return any(each.is_dir() or not path.endswith("/") for each in found)


def missing(text: str) -> list[str]:
    """Return the paths in a text that the repository doesn't have."""
    return [
        path
        for path, first in paths_in(text)
        if path not in ELSEWHERE and not exists(path, *BASES, *([first] if exists(first, "") else []))
    ]


def anchors(document: Path) -> set[str]:
    """Return what GitHub calls the headings of a document."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+?) *$", prose(document), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", LINK.sub(lambda link: link[0].partition("]")[0], heading)).lower()
        anchor = plain.replace(" ", "-")
        again = found.count(anchor)
        found += [anchor] if not again else [anchor, f"{anchor}-{again}"]
    return set(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_and_folder_that_a_document_names_exists(document: Path) -> None:
    assert missing(prose(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading_that_exist(document: Path) -> None:
    broken = []
    for link in LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or not target.is_relative_to(ROOT) or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_documents_name_every_path_that_is_said_to_be_elsewhere() -> None:
    named = {span for document in DOCUMENTS for span in SPAN.findall(prose(document))}
    assert ELSEWHERE.keys() - named == set()


def test_every_document_in_docs_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall(prose(ROOT / "README.md"))}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")}
    assert there - linked == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_uses_a_stiff_word(document: Path) -> None:
    assert [found[0] for found in STIFF.finditer(prose(document))] == []


def test_headings_are_called_as_github_calls_them(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text(
        "# Clone & Promote\n\n```sh\n# no heading\n```\n## The `edit`, (again)\n## The edit\n## The edit\n"
    )
    assert anchors(document) == {"clone--promote", "the-edit-again", "the-edit", "the-edit-1"}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("see `environments/clients/neon.py`", []),
        ("see `environments/resources/origin.py`", ["environments/resources/origin.py"]),
        ("| `environments/` | `settings/`, `strategies/` |", ["strategies/"]),
        ("`drift.yml` and `nightly.yml`", ["nightly.yml"]),
        ("`dev/dev` is a branch, `pulumi up` a command, `a/b` neither", []),
        ("`Pulumi*.yaml`, `Makefile/`", ["Makefile/"]),
    ],
)
def test_a_path_that_does_not_exist_is_found(line: str, wrong: list[str]) -> None:
    assert missing(line) == wrong
