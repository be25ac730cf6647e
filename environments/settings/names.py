"""Which names Neon, Vercel and Postgres take, so that a refusal comes before anything is made.

Sources: Neon's API specification (project name up to 64 characters, branch name up to 256), Vercel's project
name rule (lower case, digits, '.', '_' and '-', up to 100 characters, no '---'), Postgres' identifiers (63 bytes),
git-check-ref-format (up to 250 characters here).
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from environments.settings.errors import broken

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}")
_NEON_PROJECT_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
_VERCEL_PROJECT_ID = re.compile(r"prj_[A-Za-z0-9]+")
_VERCEL_NAME = re.compile(r"[a-z0-9._-]{1,100}")
_ENVIRONMENT = re.compile(r"[A-Za-z0-9._-]{1,100}")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NEON_PROJECT_LENGTH = 64
_GIT_BRANCH = re.compile(r"(?!.*(\.\.|//|@\{))[^\s~^:?*\[\\\x00-\x20\x7f/.-][^\s~^:?*\[\\\x00-\x20\x7f]{0,249}")


def _branch(name: str) -> str:
    if not _BRANCH.fullmatch(name):
        raise broken(
            "a branch name is 1 to 255 letters, digits, '.', '_', '/' or '-', and starts with a letter or digit",
            "Rename it, for example to prod-v2",
        )
    return name


def _environment(name: str) -> str:
    if not _ENVIRONMENT.fullmatch(name):
        raise broken(
            "an environment is called like a stack: letters, digits, '.', '_' and '-', up to 100 of them",
            "Write the name that the stack had when it was made, for example prod",
        )
    return name


def _project(name: str) -> str:
    if not _VERCEL_NAME.fullmatch(name) or "---" in name:
        raise broken(
            "Vercel takes lower-case letters, digits, '.', '_' and '-', up to 100 of them and never '---'",
            "Choose such a name",
        )
    if len(name) > _NEON_PROJECT_LENGTH:
        raise broken("Neon takes project names of up to 64 characters", "Choose a shorter name")
    return name


def _neon_project_id(value: str) -> str:
    if not _NEON_PROJECT_ID.fullmatch(value):
        raise broken("a Neon project id looks like late-frost-12345678", "Copy it from Neon's project settings")
    return value


def _vercel_project_id(value: str) -> str:
    if not _VERCEL_PROJECT_ID.fullmatch(value):
        raise broken("a Vercel project id looks like prj_AbC123", "Copy it from Vercel's project settings")
    return value


def _git_branch(value: str) -> str:
    if not _GIT_BRANCH.fullmatch(value) or value.endswith(("/", ".", ".lock")):
        raise broken("that is no name of a git branch", "Write it as git shows it, for example feature-x")
    return value


def _identifier(value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise broken(
            "a database or role name is 1 to 63 lower-case letters, digits or '_', and starts with no digit",
            "Choose such a name",
        )
    return value


EnvironmentName = Annotated[str, AfterValidator(_environment)]
BranchName = Annotated[str, AfterValidator(_branch)]
ProjectName = Annotated[str, AfterValidator(_project)]
NeonProjectId = Annotated[str, AfterValidator(_neon_project_id)]
VercelProjectId = Annotated[str, AfterValidator(_vercel_project_id)]
GitBranch = Annotated[str, AfterValidator(_git_branch)]
Identifier = Annotated[str, AfterValidator(_identifier)]
