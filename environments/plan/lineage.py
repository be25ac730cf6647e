"""The branches of one environment as a graph: which is cloned from which, parents first, and what is wrong."""

from __future__ import annotations

from environments.settings import Problem, Settings


def lineage_problems(settings: Settings, stack: str) -> list[Problem]:
    """Return a problem for each branch whose source is missing, is the branch itself, or leads in a circle."""
    return [problem for name in settings.branches if (problem := _problem(settings, name, stack))]


def own_parent(settings: Settings, name: str, stack: str) -> str | None:
    """Return the branch of this same stack that `name` is cloned from, or None.

    It need not be one that the settings name: it may have been released since.
    """
    source = settings.branches[name].source
    return source.branch if source and source.stack in (None, stack) else None


def home(settings: Settings, name: str, stack: str) -> str | None:
    """Return the Neon project that a branch lies in, its own or its parent's; None is the environment's."""
    if project := settings.branches[name].project:
        return project
    parent = own_parent(settings, name, stack)
    return home(settings, parent, stack) if parent in settings.branches else None


def parents_first(settings: Settings, stack: str) -> list[str]:
    """Return the branches' names so that each comes after the one that it is cloned from."""
    ordered: list[str] = []
    for name in settings.branches:
        way: list[str] = []
        current: str | None = name
        while current in settings.branches and current not in ordered:
            way.append(current)
            current = own_parent(settings, current, stack)
        ordered.extend(reversed(way))
    return ordered


def _problem(settings: Settings, name: str, stack: str) -> Problem | None:
    path = f"environments:branches.{name}.from"
    parent = own_parent(settings, name, stack)
    branch = settings.branches[name]
    if branch.source is None and not branch.adopt and settings.target != "development":
        return Problem(
            path,
            "",
            f"a {settings.target} branch needs a source that it is cloned from",
            "Add from: {stack: dev, branch: dev}",
        )
    if parent == name:
        return Problem(path, repr(name), "a branch can't be cloned from itself", "Name another branch")
    if circle := _circle(settings, name, stack):
        return Problem(
            path, repr(parent), f"the branches {' -> '.join(circle)} are cloned in a circle", "Give one another source"
        )
    return None


def deletion_problems(settings: Settings, stack: str) -> list[Problem]:
    """Return a problem for each branch that can't be retired or released: it serves, or others were cloned from it.

    The branch that serves a preview environment can be retired: then that environment can be destroyed.
    """
    return [problem for name in settings.branches if (problem := _deletion_problem(settings, name, stack))]


def _deletion_problem(settings: Settings, name: str, stack: str) -> Problem | None:
    branch = settings.branches[name]
    if not (branch.retire or branch.release):
        return None
    path = f"environments:branches.{name}.{'retire' if branch.retire else 'release'}"
    serves = settings.serve.stack in (None, stack) and settings.serve.branch == name
    if serves and not (branch.retire and settings.target == "preview"):
        return Problem(path, "", f"{name} serves", "Serve another branch first, or remove this line")
    children = [other for other in settings.branches if own_parent(settings, other, stack) == name]
    if branch.retire and children:
        rule = f"{', '.join(children)} {'was' if len(children) == 1 else 'were'} cloned from {name}, and Neon keeps a"
        return Problem(path, "", f"{rule} branch as long as it has copies", "Retire and drop them first")
    return None


def _circle(settings: Settings, name: str, stack: str) -> list[str]:
    """Return the way from `name` back to itself; reported once, for the branch whose name sorts first."""
    way, current = [name], own_parent(settings, name, stack)
    while current in settings.branches and current not in way:
        way.append(current)
        current = own_parent(settings, current, stack)
    return [*way, name] if current == name and len(way) > 1 and name == min(way) else []
