"""Deployments from the request to the moment they serve: files, captured environment, build, release, promote."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from localcloud.vercel.aliasing import Aliasing
from localcloud.vercel.blobs import Blobs
from localcloud.vercel.builds import Builder
from localcloud.vercel.environment import branch_of, platform_host, project_environment, system_environment
from localcloud.vercel.errors import BadRequestError, ConflictError, NotFoundError
from localcloud.vercel.instances import Instances, StartError
from localcloud.vercel.models import SCOPE, Deployment, Project, ReadyState, VariableType, new_slug, now
from localcloud.vercel.orders import Order, build_settings
from localcloud.vercel.store import Store

log = logging.getLogger("localcloud.vercel.deployments")

# How long the answer to a create waits for the build: with known packages it is READY by then.
_PATIENCE = 0.1


class Deployments:
    """Creates, builds, promotes and removes deployments."""

    def __init__(
        self, *, store: Store, blobs: Blobs, builder: Builder, instances: Instances, aliasing: Aliasing
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._builder = builder
        self._instances = instances
        self._aliasing = aliasing
        self._building: dict[str, asyncio.Task[None]] = {}
        self._warming: set[asyncio.Task[None]] = set()

    def get(self, id_or_host: str) -> Deployment:
        """A deployment by id or host; NotFoundError if there is none."""
        deployment = self._store.deployment(id_or_host)
        if deployment is None:
            message = "The deployment could not be found"
            raise NotFoundError(message)
        return deployment

    async def create(self, project: Project, order: Order) -> Deployment:
        """Capture the environment and begin to build; returns once it is built or after a moment's patience."""
        if missing := sorted({file.sha for file in order.files if not self._blobs.has(file.sha)}):
            message = "Missing files"
            raise BadRequestError(message, code="missing_files", missing=missing)
        deployment = self._capture(project, order)
        self._store.deployments.save(deployment)
        task = self._begin(deployment)
        if not self._builder.delay:
            await asyncio.wait({task}, timeout=_PATIENCE)
        return self.get(deployment.id)

    async def redeploy(self, project: Project, origin: Deployment, **changes: Any) -> Deployment:
        """The same files once more, with the environment as it is now; the origin's own `env` isn't taken along."""
        order = {
            "name": origin.name,
            "target": origin.target,
            "files": origin.files,
            "meta": origin.meta,
            "git_branch": origin.git_branch,
            "settings": origin.settings,
            "source": "redeploy",
            "origin": origin.id,
        }
        return await self.create(project, Order(**(order | changes)))

    async def promote(self, project: Project, deployment: Deployment) -> bool:
        """Move the production domains (True), or begin to rebuild a preview for production (False)."""
        if deployment.state is ReadyState.READY and not deployment.is_production:
            await self.redeploy(project, deployment, target="production", promote_when_ready=True)
            return False
        await self._warm(deployment)
        self._aliasing.promote(self._fresh(project), self.get(deployment.id))
        return True

    async def rollback(self, project: Project, deployment: Deployment) -> None:
        """Move the production domains back."""
        await self._warm(deployment)
        self._aliasing.rollback(self._fresh(project), self.get(deployment.id))

    async def finished(self, deployment_id: str) -> None:
        """Wait for the build, if one runs."""
        if task := self._building.get(deployment_id):
            await asyncio.wait({task})

    async def cancel(self, deployment: Deployment) -> Deployment:
        """Stop a build; a finished deployment is refused."""
        if deployment.id not in self._building:
            message = f"{deployment.id} is {deployment.state}: only a running build can be canceled"
            raise BadRequestError(message)
        await self._stop_building(deployment.id)
        deployment = self.get(deployment.id)
        deployment.state, deployment.ready_at = ReadyState.CANCELED, now()
        self._store.deployments.save(deployment)
        return deployment

    async def remove(self, deployment: Deployment) -> None:
        """End, forget and delete a deployment."""
        await self._stop_building(deployment.id)
        self._store.delete_deployment(deployment.id)
        await self._instances.stop(deployment.id)
        await asyncio.to_thread(self._builder.discard, deployment.id)

    async def remove_all(self, project: Project) -> None:
        """Remove the deployments of a project that is being deleted."""
        for deployment_id in self._store.deployments.column("id", project_id=project.id):
            await self.remove(self.get(deployment_id))

    def resume(self) -> int:
        """Begin the builds again that were cut off when the process ended. Returns how many."""
        cut_off = [
            *self._store.deployments.all(state=ReadyState.QUEUED),
            *self._store.deployments.all(state=ReadyState.BUILDING),
        ]
        for deployment in cut_off:
            self._begin(deployment)
        return len(cut_off)

    async def stop(self) -> None:
        """Cut off what is being built; `resume` takes it up again."""
        await asyncio.gather(*(self._stop_building(deployment_id) for deployment_id in list(self._building)))
        await asyncio.gather(*self._warming, return_exceptions=True)

    def _capture(self, project: Project, order: Order) -> Deployment:
        deployment = Deployment(
            project_id=project.id,
            name=order.name,
            host=platform_host(order.name, f"{new_slug()}-{SCOPE}"),
            target=order.target,
            files=order.files,
            own_env=sorted(order.env),
            meta=order.meta,
            git_branch=order.git_branch or branch_of(order.meta),
            settings=build_settings(project.settings) | build_settings(order.settings),
            source=order.source,
            origin=order.origin,
            promote_when_ready=order.promote_when_ready,
            skip_domains=order.skip_domains,
        )
        variables = self._store.variables.all(project_id=project.id)
        target = "production" if deployment.is_production else "preview"
        own = project_environment(variables, target=target, git_branch=deployment.git_branch)
        system = system_environment(project, deployment, self._store.domains.all(project_id=project.id))
        deployment.env = own | order.env | system
        deployment.build_env = own | order.env | order.build_env | system
        kept = {variable.value for variable in variables if variable.type is not VariableType.PLAIN}
        deployment.secrets = sorted({*kept, *order.env.values(), *order.build_env.values(), *project.bypass})
        return deployment

    def _begin(self, deployment: Deployment) -> asyncio.Task[None]:
        task = self._building[deployment.id] = asyncio.create_task(self._build(deployment))
        task.add_done_callback(lambda _: self._building.pop(deployment.id, None))
        return task

    async def _build(self, deployment: Deployment) -> None:
        try:
            await self._builder.build(deployment)
        except Exception:
            log.exception("the build of %s broke", deployment.id)
            deployment.state, deployment.error_code, deployment.ready_at = ReadyState.ERROR, "INTERNAL_ERROR", now()
            deployment.error_message = "the local cloud failed, see its log"
        self._store.deployments.save(deployment)
        if deployment.state is not ReadyState.READY:
            return
        if deployment.is_production and self._aliasing.releases(deployment):
            await self._warm(deployment)
        # Read again: while it warmed up, somebody may have promoted or removed it.
        if built := self._store.deployments.find(id=deployment.id):
            self._aliasing.release(built)
            self._warm_soon(built)

    async def _warm(self, deployment: Deployment) -> None:
        """Start the process before a domain moves to it. One that doesn't load gets it all the same."""
        if deployment.state is ReadyState.READY:
            with suppress(StartError):
                await self._instances.start(deployment)

    def _warm_soon(self, deployment: Deployment) -> None:
        if deployment.is_production:
            task = asyncio.create_task(self._warm(deployment))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def _stop_building(self, deployment_id: str) -> None:
        if task := self._building.get(deployment_id):
            task.cancel()
            await asyncio.wait({task})

    def _fresh(self, project: Project) -> Project:
        found = self._store.projects.find(id=project.id)
        if found is None:
            message = f"{project.name} was deleted meanwhile"
            raise ConflictError(message)
        return found
