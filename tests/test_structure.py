"""The house rules that a reader relies on: who imports whom, how long a file is, that what the docs name exists."""

import ast
import functools
import re
from pathlib import Path

import pytest

from localcloud.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parent.parent

GROUND = ("environments.errors", "environments.ids", "environments.log", "environments.props", "environments.version")
"""Modules that every room of the library may use."""

ROOMS: dict[str, tuple[str, ...]] = {
    "environments.settings": (),
    "environments.plan": ("settings",),
    "environments.clients": (),
    "environments.review": (),
    "environments.database": ("clients", "review"),
    "environments.migrations": ("plan", "database", "clients", "review"),
    "environments.branches": ("database", "clients"),
    "environments.cutover": ("plan", "migrations", "branches", "database", "clients", "review"),
    "environments.resources": ("plan", "cutover", "migrations", "branches", "database", "clients", "review"),
    "environments.plugin": ("resources", "review"),
    "environments.program": (
        "resources",
        "cutover",
        "migrations",
        "database",
        "plan",
        "settings",
        "branches",
        "clients",
        "review",
    ),
    "environments.commands": ("plan", "settings", "branches", "clients", "review"),
}
"""What each room of the library may import besides itself and the ground: nothing else, so that no circle can come."""

TOPS: dict[str, set[str]] = {
    "environments": set(),
    "components": {"environments"},
    "__main__": {"components", "environments"},
    "localcloud": set(),
    "demo": {"localcloud"},
    "bench": {"localcloud", "environments", "tests"},
    "tests": {"components", "environments", "localcloud", "demo", "bench"},
}
"""Which of our packages each may import besides itself: the program and the local cloud meet over HTTP and SQL only."""

KNOWS_PULUMI = ("__main__", "components", "environments.program")
SPEAKS_THE_PROTOCOL = ("environments.plugin", "localcloud.plugins", "localcloud.engine")
"""These import the engine's protocol, `pulumi.runtime.proto`, and nothing else of Pulumi's package."""


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    return [path for path in found if not {"node_modules", "__pycache__"} & set(path.parts)]


def all_modules() -> list[Path]:
    return [ROOT / "__main__.py", *(path for package in TOPS if package != "__main__" for path in modules(package))]


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Every module that the file imports, wherever in the file, and each name from one, which may be a module too."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return frozenset(found)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(path: Path) -> str:
    """The name under which a module is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room of the library that a module is in; the ground, or nothing, where it is in none."""
    if any(module == ground or module.startswith(f"{ground}.") for ground in GROUND):
        return "ground"
    return next((room for room in ROOMS if module == room or module.startswith(f"{room}.")), "")


def test_every_module_of_the_library_is_in_a_room() -> None:
    outside = {"environments", "environments.__main__"}
    assert {dotted(path) for path in modules("environments") if not room_of(dotted(path))} <= outside


def test_imports_of_the_library_go_one_way() -> None:
    wrong = []
    for path in modules("environments"):
        room = room_of(dotted(path))
        allowed = {"ground", room, *(f"environments.{other}" for other in ROOMS.get(room, ()))}
        ours = {module for module in imported(path) if module.startswith("environments.") and room}
        wrong += [f"{name(path)} imports {module}" for module in ours if room_of(module) not in allowed]
    assert wrong == []


def test_the_table_of_rooms_has_no_circle_and_no_room_that_is_not_there() -> None:
    settled: set[str] = set()
    left = {room.removeprefix("environments."): set(others) for room, others in ROOMS.items()}
    assert all((ROOT / "environments" / room).is_dir() for room in left)
    while free := [room for room, others in left.items() if others <= settled]:
        settled |= set(free)
        left = {room: others for room, others in left.items() if room not in settled}
    assert left == {}


@pytest.mark.parametrize("package", TOPS)
def test_packages_import_no_other_than_the_table_says(package: str) -> None:
    found = [ROOT / "__main__.py"] if package == "__main__" else modules(package)
    assert found, f"{package}/ holds no module"
    allowed = {package, *TOPS[package]}
    wrong = {
        name(path): sorted({module.partition(".")[0] for module in imported(path)} & set(TOPS) - allowed)
        for path in found
    }
    assert {path: others for path, others in wrong.items() if others} == {}


def test_only_the_program_knows_pulumi() -> None:
    wrong = []
    for path in [*modules("environments"), *modules("localcloud")]:
        own = dotted(path)
        for module in imported(path):
            of_pulumi = module.partition(".")[0] in ("pulumi", "pulumi_neon", "pulumiverse_vercel")
            protocol = module.startswith("pulumi.runtime.proto") and own.startswith(SPEAKS_THE_PROTOCOL)
            if of_pulumi and not protocol and not own.startswith((*KNOWS_PULUMI, "localcloud.engine.language_host")):
                wrong.append(f"{own} imports {module}")
    assert wrong == []


def test_the_configuration_is_read_in_one_place() -> None:
    program = [ROOT / "__main__.py", *(path for part in ("components", "environments") for path in modules(part))]
    readers = {name(path) for path in program if {"pulumi.Config", "pulumi.runtime.config"} & attributes(path)}
    assert len(readers) == 1
    assert readers == {"environments/program/stack_file.py"}


def attributes(path: Path) -> set[str]:
    """Every dotted name that the file's code uses."""
    return {ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}


def test_the_program_asks_no_function_of_neons_provider_that_answers_an_error_with_nothing() -> None:
    """An empty password would end up in the DATABASE_URL of production."""
    swallowing = re.compile(r"get_(branches|branch_endpoints|branch_roles|branch_role_password)(_output)?$")
    asked = {used for path in modules("components") for used in attributes(path) if ".get_" in used}
    assert "neon.get_project_output" in asked
    assert [used for used in asked if swallowing.search(used)] == []


def test_every_module_says_why_it_exists() -> None:
    assert [name(path) for path in all_modules() if not ast.get_docstring(tree(path))] == []


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
