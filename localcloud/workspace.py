"""A runnable copy of the program: even a preview writes into its stack file, and the checkout must stay clean.

A copy holds the program and its app, and nothing of the library: that is installed in the virtual environment.
"""

import re
import shutil
from pathlib import Path

PROGRAM_FILES = ("Pulumi.yaml", "Pulumi.*.yaml", "__main__.py", "requirements.txt", "stack.schema.json")
PROGRAM_FOLDERS = ("components", "plugin", "app")
INDISPENSABLE = ("Pulumi.yaml", "__main__.py", "components")
VIRTUAL_ENVIRONMENT = ".venv"
LIBRARY_HERE = re.compile(r"^\.$", re.MULTILINE)
"""The line of requirements.txt that names the library where it lies beside the program."""
NOT_COPIED = shutil.ignore_patterns(
    "node_modules", "__pycache__", ".*_cache", "*.egg-info", ".env*", ".vercel", "build"
)


class WorkspaceError(Exception):
    """The copy was refused; nothing was written."""


def make_workspace(root: Path, target: Path, *, replace: bool = False) -> Path:
    """Copy the program of `root` to `target`, a new or empty folder; `replace` renews an earlier copy.

    Returns the copy's absolute path. The virtual environment is linked, not copied.
    """
    root, target = root.resolve(), target.resolve()
    _refuse(root, target, replace=replace)
    _clear(target)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for pattern in PROGRAM_FILES:
        for file in sorted(root.glob(pattern)):
            shutil.copy2(file, target / file.name)
    for name in PROGRAM_FOLDERS:
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, ignore=NOT_COPIED, symlinks=True)
    _name_library(target / "requirements.txt", root)
    if (root / VIRTUAL_ENVIRONMENT).exists() and not (target / VIRTUAL_ENVIRONMENT).exists():
        (target / VIRTUAL_ENVIRONMENT).symlink_to(root / VIRTUAL_ENVIRONMENT)
    return target


def _refuse(root: Path, target: Path, *, replace: bool) -> None:
    missing = [name for name in INDISPENSABLE if not (root / name).exists()]
    if missing:
        raise WorkspaceError(f"{root} holds no Pulumi program: {', '.join(missing)} is missing")
    sources = [root / name for name in PROGRAM_FOLDERS]
    if root.is_relative_to(target) or any(target.is_relative_to(source) for source in sources):
        raise WorkspaceError(
            f"{target} is a part of the checkout or holds it: choose a folder beside it, or below .local/"
        )
    if target.exists() and not target.is_dir():
        raise WorkspaceError(f"{target} is a file: choose a folder")
    occupied = target.exists() and any(target.iterdir())
    if occupied and not replace:
        raise WorkspaceError(f"{target} is not empty: choose another folder, or renew the copy with --force")
    if occupied and not (target / "Pulumi.yaml").exists():
        raise WorkspaceError(
            f"{target} holds something that is no copy of the program: --force replaces only such a copy"
        )


def _name_library(requirements: Path, root: Path) -> None:
    """Let the copy's requirements name the library where it is: it doesn't lie beside the copy."""
    if requirements.exists():
        requirements.write_text(LIBRARY_HERE.sub(lambda _: str(root), requirements.read_text()))


def _clear(target: Path) -> None:
    """Remove what an earlier copy put there, and nothing else."""
    for pattern in PROGRAM_FILES:
        for file in target.glob(pattern):
            file.unlink()
    for name in PROGRAM_FOLDERS:
        shutil.rmtree(target / name, ignore_errors=True)
    if (target / VIRTUAL_ENVIRONMENT).is_symlink():
        (target / VIRTUAL_ENVIRONMENT).unlink()
