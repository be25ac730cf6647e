"""What may be a project and a domain, and how they come and go."""

import re
from typing import Any

from localcloud.vercel.aliasing import Aliasing
from localcloud.vercel.environment import host_label
from localcloud.vercel.errors import BadRequestError, ConflictError, NotFoundError
from localcloud.vercel.models import PLATFORM_DOMAIN, Domain, Project, new_id, new_slug, now
from localcloud.vercel.store import Store

_NAME = re.compile(r"[a-z0-9._-]{1,100}")
_NAME_RULE = (
    "Project names can be up to 100 characters long and must be lowercase. They can include letters, digits, and the"
    " following characters: '.', '_', '-'. However, they cannot contain the sequence '---'."
)
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}")
# What a client may send and a project doesn't keep: the variables have a table, the rest is the server's own.
_NO_SETTINGS = frozenset(
    {
        "name",
        "id",
        "environmentVariables",
        "accountId",
        "createdAt",
        "updatedAt",
        "targets",
        "latestDeployments",
        "link",
    }
)


class Projects:
    """Projects and their domains."""

    def __init__(self, store: Store, aliasing: Aliasing) -> None:
        self._store = store
        self._aliasing = aliasing

    def get(self, id_or_name: str) -> Project:
        """The project; NotFoundError if there is none."""
        project = self._store.project(id_or_name)
        if project is None:
            message = f"Project not found: {id_or_name}"
            raise NotFoundError(message)
        return project

    def create(self, body: dict[str, Any]) -> Project:
        """A new project with a domain of Vercel's."""
        name = body.get("name")
        self._check_name(name)
        project = Project(name=str(name), settings=_settings(body))
        label = host_label(project.name)
        address = f"{label}.{PLATFORM_DOMAIN}"
        while self._store.domains.find(name=address):
            address = f"{label[:53]}-{new_slug()}.{PLATFORM_DOMAIN}"
        with self._store.transaction():
            self._store.projects.save(project)
            self._store.domains.save(Domain(name=address, project_id=project.id))
        return project

    def update(self, project: Project, body: dict[str, Any]) -> Project:
        """Change settings, or the name: its domain keeps the old one, as on Vercel."""
        if "name" in body and body["name"] != project.name:
            self._check_name(body["name"])
            project.name = body["name"]
        project.settings |= _settings(body)
        project.updated_at = now()
        self._store.projects.save(project)
        return project

    def change_bypass(self, project: Project, body: dict[str, Any]) -> Project:
        """Make, replace or revoke the secret with which automation passes a protected deployment."""
        if revoked := body.get("revoke"):
            if project.bypass.pop(revoked.get("secret", ""), None) is None:
                message = "this protection bypass secret does not exist"
                raise NotFoundError(message)
            if revoked.get("regenerate"):
                project.bypass[new_id(length=32)] = now()
        else:
            secret = (body.get("generate") or {}).get("secret") or new_id(length=32)
            project.bypass[secret] = now()
        self._store.projects.save(project)
        return project

    def add_domain(self, project: Project, body: dict[str, Any]) -> Domain:
        """A domain more; it serves at once what production serves."""
        name = str(body.get("name", "")).lower()
        if not _DOMAIN.fullmatch(name):
            message = f"{body.get('name')!r} is no domain name"
            raise BadRequestError(message, code="invalid_domain")
        if taken := self._store.domains.find(name=name):
            owner = "this project already" if taken.project_id == project.id else "another project"
            message = f"Cannot add {name} since it is in use by {owner}"
            raise ConflictError(message, code="domain_already_in_use")
        domain = Domain(
            name=name,
            project_id=project.id,
            git_branch=body.get("gitBranch"),
            redirect=body.get("redirect"),
            redirect_status=body.get("redirectStatusCode"),
        )
        self._aliasing.add_domain(project, domain)
        return domain

    def domain(self, project: Project, name: str) -> Domain:
        """One of the project's domains; NotFoundError otherwise."""
        domain = self._store.domains.find(name=name.lower())
        if domain is None or domain.project_id != project.id:
            message = f"The domain {name} is not assigned to {project.name}"
            raise NotFoundError(message)
        return domain

    def _check_name(self, name: object) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or "---" in name:
            raise BadRequestError(_NAME_RULE, code="invalid_name")
        if self._store.projects.find(name=name):
            message = f'A project with the same name already exists: "{name}"'
            raise ConflictError(message, code="conflict")


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in _NO_SETTINGS}
