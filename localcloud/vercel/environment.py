"""Which environment a deployment gets: resolved once, when it is created, and never again.

From weak to strong: the project's variables, those of the deployment's git branch, the deployment's own `env`, and the
system variables, which nobody overrides.
"""

import re
from collections.abc import Iterable, Mapping

from localcloud.vercel.models import PLATFORM_DOMAIN, SCOPE, Deployment, Domain, Project, Variable

_GIT_FIELDS = {
    "VERCEL_GIT_COMMIT_SHA": "CommitSha",
    "VERCEL_GIT_COMMIT_REF": "CommitRef",
    "VERCEL_GIT_COMMIT_MESSAGE": "CommitMessage",
    "VERCEL_GIT_COMMIT_AUTHOR_LOGIN": "CommitAuthorLogin",
    "VERCEL_GIT_COMMIT_AUTHOR_NAME": "CommitAuthorName",
    "VERCEL_GIT_REPO_OWNER": "Org",
    "VERCEL_GIT_REPO_SLUG": "Repo",
}
_GIT_PROVIDERS = ("github", "gitlab", "bitbucket")


def project_environment(variables: Iterable[Variable], *, target: str, git_branch: str | None) -> dict[str, str]:
    """The project's variables of one target (production, preview or development)."""
    applicable = [variable for variable in variables if target in variable.target]
    values = {variable.key: variable.value for variable in applicable if variable.git_branch is None}
    if git_branch is not None:
        values |= {variable.key: variable.value for variable in applicable if variable.git_branch == git_branch}
    return values


def system_environment(project: Project, deployment: Deployment, domains: Iterable[Domain]) -> dict[str, str]:
    """What Vercel itself tells a deployment."""
    environment = "production" if deployment.is_production else "preview"
    values = {
        "VERCEL": "1",
        "VERCEL_ENV": environment,
        "VERCEL_TARGET_ENV": environment,
        "VERCEL_URL": deployment.host,
        "VERCEL_DEPLOYMENT_ID": deployment.id,
        "VERCEL_PROJECT_ID": project.id,
        "VERCEL_REGION": "dev1",
    }
    if production := production_domain(domains):
        values["VERCEL_PROJECT_PRODUCTION_URL"] = production
    if project.bypass:
        values["VERCEL_AUTOMATION_BYPASS_SECRET"] = next(iter(project.bypass))
    return values | _git_environment(project, deployment)


def production_domain(domains: Iterable[Domain]) -> str | None:
    """The project's address: the shortest domain of its own, else the one Vercel gave it."""
    names = [domain.name for domain in domains if domain.is_production]
    own = [name for name in names if not name.endswith(f".{PLATFORM_DOMAIN}")]
    return min(own or names, key=len, default=None)


def branch_of(meta: Mapping[str, str]) -> str | None:
    """The git branch that a deployment's metadata names."""
    return _git_field(meta, "CommitRef")


def _git_environment(project: Project, deployment: Deployment) -> dict[str, str]:
    values = {name: value for name, field in _GIT_FIELDS.items() if (value := _git_field(deployment.meta, field))}
    if deployment.git_branch:
        values["VERCEL_GIT_COMMIT_REF"] = deployment.git_branch
        if not deployment.is_production:
            values["VERCEL_BRANCH_URL"] = branch_host(project.name, deployment.git_branch)
    if values:
        values["VERCEL_GIT_PROVIDER"] = next(
            (provider for provider in _GIT_PROVIDERS if any(key.startswith(provider) for key in deployment.meta)), "git"
        )
    return values


def branch_host(project_name: str, git_branch: str) -> str:
    """The host of the newest preview of a git branch."""
    return platform_host(f"{project_name}-git-{git_branch}", SCOPE)


def host_label(name: str) -> str:
    """A name as the first part of a host name, at most 63 characters."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")


def platform_host(name: str, suffix: str) -> str:
    """`<name>-<suffix>.vercel.app`; one label holds 63 characters, so a long name is cut."""
    label = host_label(name)[: 62 - len(suffix)].rstrip("-")
    return f"{label}-{suffix}.{PLATFORM_DOMAIN}"


def _git_field(meta: Mapping[str, str], field: str) -> str | None:
    for prefix in (*_GIT_PROVIDERS, "git"):
        if value := meta.get(prefix + field):
            return value
    return None
