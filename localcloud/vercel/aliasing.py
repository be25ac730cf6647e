"""Which host points to which deployment, and the four moves that change it: release, promote, rollback, add a domain.

None of them builds or touches an environment: a promoted deployment keeps the variables it was created with.
"""

from localcloud.vercel.environment import branch_host
from localcloud.vercel.errors import BadRequestError, ConflictError
from localcloud.vercel.models import Alias, AliasRequest, Deployment, Domain, Project, ReadyState, Substate, now
from localcloud.vercel.store import Store


class Aliasing:
    """Moves aliases; each move is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def releases(self, deployment: Deployment) -> bool:
        """Whether `release` would point production's domains to this deployment."""
        project = self._store.projects.find(id=deployment.project_id)
        return deployment.promote_when_ready or (project is not None and not _stages(project, deployment))

    def release(self, deployment: Deployment) -> None:
        """Give a deployment that was just built the hosts that it gets without being asked for."""
        project = self._store.projects.find(id=deployment.project_id)
        if project is None:
            return
        with self._store.transaction():
            if not deployment.is_production:
                self._point_branch_hosts(project, deployment)
            elif deployment.promote_when_ready:
                self._serve(project, deployment, "promote")
            elif _stages(project, deployment):
                deployment.substate = deployment.substate or Substate.STAGED
            else:
                self._point_domains(project, deployment)
            deployment.alias_assigned_at = now()
            self._store.deployments.save(deployment)

    def promote(self, project: Project, deployment: Deployment) -> None:
        """Point the production domains to a production deployment; ends the hold that a rollback left."""
        _require_ready(deployment)
        with self._store.transaction():
            self._serve(project, deployment, "promote")

    def rollback(self, project: Project, deployment: Deployment) -> None:
        """Point the production domains to a deployment that had them before, and hold them there until a promote."""
        _require_ready(deployment)
        if deployment.substate is not Substate.PROMOTED:
            message = f"{deployment.id} never served production: promote it instead"
            raise BadRequestError(message, code="invalid_rollback_target")
        with self._store.transaction():
            self._serve(project, deployment, "rollback")

    def add_domain(self, project: Project, domain: Domain) -> None:
        """Keep a domain and point it to what production serves now."""
        with self._store.transaction():
            self._store.domains.save(domain)
            if domain.is_production and project.production:
                self._point(domain.name, project.production, project.id)

    def remove_domain(self, domain: Domain) -> None:
        """Forget a domain and its alias."""
        with self._store.transaction():
            self._store.domains.delete(name=domain.name)
            self._store.aliases.delete(host=domain.name)

    def assign(self, host: str, deployment: Deployment) -> tuple[Alias, str | None]:
        """Point any one host to a deployment; returns the alias and what it pointed to before."""
        _require_ready(deployment)
        before = self._store.aliases.find(host=host)
        if before is not None and before.project_id != deployment.project_id:
            message = f"{host} belongs to another project"
            raise ConflictError(message, code="alias_in_use")
        return self._point(host, deployment.id, deployment.project_id), before.deployment_id if before else None

    def _serve(self, project: Project, deployment: Deployment, kind: str) -> None:
        project.last_alias_request = AliasRequest(kind, project.production, deployment.id)
        project.held_at = deployment.id if kind == "rollback" else None
        self._point_domains(project, deployment)

    def _point_domains(self, project: Project, deployment: Deployment) -> None:
        for domain in self._store.domains.all(project_id=project.id):
            if domain.is_production:
                self._point(domain.name, deployment.id, project.id)
        project.production = deployment.id
        self._store.projects.save(project)
        deployment.substate = Substate.PROMOTED
        deployment.promote_when_ready = False
        self._store.deployments.save(deployment)

    def _point_branch_hosts(self, project: Project, deployment: Deployment) -> None:
        if deployment.git_branch is None:
            return
        self._point(branch_host(project.name, deployment.git_branch), deployment.id, project.id)
        for domain in self._store.domains.all(project_id=project.id):
            if domain.git_branch == deployment.git_branch:
                self._point(domain.name, deployment.id, project.id)

    def _point(self, host: str, deployment_id: str, project_id: str) -> Alias:
        alias = self._store.aliases.find(host=host) or Alias(
            host=host, deployment_id=deployment_id, project_id=project_id
        )
        alias.deployment_id, alias.updated_at = deployment_id, now()
        self._store.aliases.save(alias)
        return alias


def _require_ready(deployment: Deployment) -> None:
    if deployment.state is not ReadyState.READY:
        message = f"{deployment.id} is {deployment.state}, only a READY deployment can serve: see its build events"
        raise ConflictError(message, code="deployment_not_ready")


def _stages(project: Project, deployment: Deployment) -> bool:
    """Whether the deployment waits for a promote: its project says so, or it was asked for."""
    return project.stages or deployment.skip_domains
