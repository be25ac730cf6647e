"""The rules of a project's environment variables."""

import re
from collections.abc import Iterable
from typing import Any

from localcloud.vercel.errors import ApiError, BadRequestError, ForbiddenError, NotFoundError
from localcloud.vercel.models import Project, Variable, VariableType, now
from localcloud.vercel.store import Store

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TARGETS = ("production", "preview", "development")
_LONGEST_VALUE = 65_536


class Variables:
    """Environment variables, by project."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, project: Project, variable_id: str) -> Variable:
        """One variable; NotFoundError if the project has none with this id."""
        variable = self._store.variables.find(id=variable_id)
        if variable is None or variable.project_id != project.id:
            message = f"The Environment Variable was not found: {variable_id}"
            raise NotFoundError(message, code="ENV_NOT_FOUND")
        return variable

    def create_many(
        self, project: Project, bodies: Iterable[dict[str, Any]], *, upsert: bool = False
    ) -> tuple[list[Variable], list[tuple[dict[str, Any], ApiError]]]:
        """Create each on its own: returns those that were made, and the refused ones with the reason."""
        created: list[Variable] = []
        failed: list[tuple[dict[str, Any], ApiError]] = []
        for body in bodies:
            try:
                created.append(self.create(project, body, upsert=upsert))
            except ApiError as error:
                failed.append((body, error))
        return created, failed

    def create(self, project: Project, body: dict[str, Any], *, upsert: bool = False) -> Variable:
        """A new variable; with `upsert` the one with the same key, targets and branch is changed instead."""
        variable = Variable(project_id=project.id, key="", value="", type=VariableType.ENCRYPTED, target=[])
        _apply(variable, body)
        # The real API takes these from the integration whose token makes the variable; here whoever makes it says so.
        variable.configuration_id, variable.content_hint = body.get("configurationId"), body.get("contentHint")
        _check(variable)
        if upsert and (same := self._same(variable)):
            variable.id, variable.created_at = same.id, same.created_at
        self._refuse_conflict(variable)
        self._store.variables.save(variable)
        return variable

    def update(self, project: Project, variable_id: str, body: dict[str, Any]) -> Variable:
        """Change a variable. No deployment sees it before the next one is created.

        ForbiddenError for one that an integration owns; how the real API words that isn't published.
        """
        variable = self.get(project, variable_id)
        if variable.is_managed:
            message = f"`{variable.key}` is managed by an integration: change it there"
            raise ForbiddenError(message)
        was_sensitive = variable.type is VariableType.SENSITIVE
        _apply(variable, body)
        if was_sensitive and variable.type is not VariableType.SENSITIVE:
            message = "You cannot change the type of a Sensitive Environment Variable"
            raise BadRequestError(message)
        _check(variable)
        self._refuse_conflict(variable)
        variable.updated_at = now()
        self._store.variables.save(variable)
        return variable

    def _same(self, variable: Variable) -> Variable | None:
        return next(
            (
                other
                for other in self._store.variables.all(project_id=variable.project_id)
                if (other.key, set(other.target), other.git_branch)
                == (variable.key, set(variable.target), variable.git_branch)
            ),
            None,
        )

    def _refuse_conflict(self, variable: Variable) -> None:
        for other in self._store.variables.all(project_id=variable.project_id):
            if other.id == variable.id or (other.key, other.git_branch) != (variable.key, variable.git_branch):
                continue
            shared = sorted(
                {*other.target} & {*variable.target} | {*other.custom_environments} & {*variable.custom_environments}
            )
            if shared:
                where = ", ".join(shared) + (f" and git branch {variable.git_branch}" if variable.git_branch else "")
                message = f"A variable with the name `{variable.key}` already exists for the target {where}"
                raise BadRequestError(
                    message,
                    code="ENV_CONFLICT",
                    key=variable.key,
                    target=shared,
                    gitBranch=variable.git_branch,
                    envVarId=other.id,
                )


def _apply(variable: Variable, body: dict[str, Any]) -> None:
    variable.key = _string(body.get("key", variable.key), "key")
    variable.value = _string(body.get("value", variable.value), "value")
    if "type" in body:
        try:
            variable.type = VariableType(body["type"])
        except ValueError:
            message = f"type is {body['type']!r}: choose one of {', '.join(VariableType)}"
            raise BadRequestError(message) from None
    if "target" in body:
        target = body["target"] or []
        variable.target = [target] if isinstance(target, str) else list(target)
    variable.git_branch = body.get("gitBranch", variable.git_branch) or None
    variable.custom_environments = list(body.get("customEnvironmentIds", variable.custom_environments) or [])
    variable.comment = body.get("comment", variable.comment)


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        message = f"{name} must be a string"
        raise BadRequestError(message)
    return value


def _check(variable: Variable) -> None:
    problem = None
    if not _KEY.fullmatch(variable.key):
        problem = f"The name {variable.key!r} contains invalid characters: use letters, digits and _, no digit first"
    elif len(variable.value.encode()) > _LONGEST_VALUE:
        problem = f"The value of `{variable.key}` exceeds 64 KB"
    elif unknown := [target for target in variable.target if target not in _TARGETS]:
        problem = f"target {unknown} is not one of {', '.join(_TARGETS)}"
    elif not variable.target and not variable.custom_environments:
        problem = f"`{variable.key}` needs a target"
    elif variable.type is VariableType.SENSITIVE and "development" in variable.target:
        problem = "You cannot set a Sensitive Environment Variable's target to development"
    elif variable.git_branch and variable.target != ["preview"]:
        problem = "gitBranch is only allowed with the target preview"
    if problem:
        raise BadRequestError(problem)
