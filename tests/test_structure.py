"""The house rules that a reader relies on: who imports whom, how long a file is, that what the docs name exists."""

import ast
import re
from pathlib import Path

import pytest

from localcloud.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 300

PACKAGES = (
    *("components", "resources", "migrations", "recovery", "adoption", "report"),
    *("localcloud", "demo", "bench", "tests"),
)
FORBIDDEN = {
    "components": {"recovery", "adoption", "report", "localcloud", "tests", "demo", "bench"},
    "resources": {"components", "recovery", "adoption", "report", "localcloud", "tests", "demo", "bench"},
    "migrations": {"components", "recovery", "adoption", "report", "localcloud", "tests", "demo", "bench"},
    "adoption": {"report", "localcloud", "tests", "demo", "bench"},
    "report": {"localcloud", "tests", "demo", "bench"},
    "localcloud": {"components", "resources", "migrations", "recovery", "adoption", "report", "tests", "demo", "bench"},
}
PURE = ("settings", "strategies", "topology", "plan")


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    return [path for path in found if not {"node_modules", "__pycache__"} & set(path.parts)]


def all_modules() -> list[Path]:
    return [ROOT / "__main__.py", *(path for package in PACKAGES for path in modules(package))]


def imported(path: Path) -> set[str]:
    """Every module that the file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def tops(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in imported(path)}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", FORBIDDEN)
def test_the_program_and_the_local_cloud_never_import_each_other(package: str) -> None:
    found = modules(package)
    assert found, f"{package}/ holds no module"
    wrong = {name(path): sorted(tops(path) & FORBIDDEN[package]) for path in found if tops(path) & FORBIDDEN[package]}
    assert wrong == {}


@pytest.mark.parametrize("part", PURE)
def test_settings_strategies_topology_and_plan_know_nothing_of_pulumi(part: str) -> None:
    found = [path for path in modules("components") if part in path.relative_to(ROOT / "components").parts[0]]
    assert found, f"components/ holds no {part}"
    assert [name(path) for path in found if any(top.startswith("pulumi") for top in tops(path))] == []


def test_migrations_know_nothing_of_pulumi() -> None:
    found = modules("migrations")
    assert found, "migrations/ holds no module"
    assert [name(path) for path in found if any(top.startswith("pulumi") for top in tops(path))] == []


def test_the_configuration_is_read_in_one_place() -> None:
    program = [ROOT / "__main__.py", *(path for part in ("components", "resources") for path in modules(part))]
    readers = {name(path) for path in program if {"pulumi.Config", "pulumi.runtime.config"} & attributes(path)}
    assert len(readers) == 1
    assert readers <= {"__main__.py", "environments/program/stack_file.py"}


def attributes(path: Path) -> set[str]:
    """Every dotted name that the file's code uses."""
    return {ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}


def test_the_program_asks_no_function_of_neons_provider_that_answers_an_error_with_nothing() -> None:
    """An empty password would end up in the DATABASE_URL of production."""
    swallowing = re.compile(r"get_(branches|branch_endpoints|branch_roles|branch_role_password)(_output)?$")
    asked = {used for path in modules("components") for used in attributes(path) if ".get_" in used}
    assert "neon.get_project_output" in asked
    assert [used for used in asked if swallowing.search(used)] == []


def test_every_file_is_short() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in all_modules()}
    assert len(lengths) > 20
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_why_it_exists() -> None:
    assert [name(path) for path in all_modules() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "manager", "handler", "handlers", "base", "common", "misc"}
    assert [name(path) for path in all_modules() if path.stem in empty] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(code(ROOT / "README.md"))))
    assert {"demo", "test"} <= named
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named - targets == set()


def test_every_command_of_the_local_cloud_is_described() -> None:
    described = set(
        re.findall(r"^\*\*`localcloud ([a-z]+)", (ROOT / "docs" / "local-cloud.md").read_text(), re.MULTILINE)
    )
    assert described == set(COMMANDS)


def code(document: Path) -> list[str]:
    """What stands in a document as code, inline or in a block."""
    text = document.read_text()
    return re.findall(r"```.*?```", text, re.DOTALL) + re.findall(r"`[^`\n]+`", text)
