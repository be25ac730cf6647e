"""Builds deployments: QUEUED → BUILDING → READY or ERROR, its log kept line by line.

A build lays the files out, links the packages, and runs the app's build command with the environment that the
deployment captured. It knows nothing of aliases: what happens to a finished deployment is the caller's business.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from localcloud.private_files import private_folder
from localcloud.vercel.blobs import Blobs
from localcloud.vercel.commands import clean_environment, executable, install_environment, run
from localcloud.vercel.dependencies import Dependencies, InstallError, package_of
from localcloud.vercel.ledger import Ledger
from localcloud.vercel.models import BuildEvent, Deployment, ReadyState, now
from localcloud.vercel.redaction import Redactor
from localcloud.vercel.store import Store


class BuildError(Exception):
    """The build failed; the message is what the deployment shows."""


class Builder:
    """Turns a queued deployment into one that can be served."""

    def __init__(self, state: Path, *, store: Store, blobs: Blobs, ledger: Ledger, delay: float = 0) -> None:
        self._folder = private_folder(state / "deployments")
        self._home = private_folder(state / "home")
        self._store = store
        self._blobs = blobs
        self._ledger = ledger
        self._dependencies = Dependencies(state / "packages", home=self._home, ledger=ledger)
        self.delay = delay

    def app_folder(self, deployment: Deployment) -> Path:
        """Where the deployment's app lies: its files' root, or the project's root directory in it."""
        return self._folder / deployment.id / (deployment.settings.get("rootDirectory") or "")

    def discard(self, deployment_id: str) -> None:
        """Remove the files of a deployment."""
        shutil.rmtree(self._folder / deployment_id, ignore_errors=True)

    async def build(self, deployment: Deployment) -> None:
        """Bring the deployment to READY or ERROR; a cancelled build stays as it is, to be resumed."""
        self._store.events.delete(deployment_id=deployment.id)
        if self.delay:
            await asyncio.sleep(self.delay)
        deployment.state, deployment.building_at = ReadyState.BUILDING, now()
        self._store.deployments.save(deployment)
        redact = Redactor(deployment.secrets)

        def said(text: str, kind: str = "stdout") -> None:
            self._store.events.save(BuildEvent(deployment_id=deployment.id, type=kind, text=redact(text)))

        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            await self._run_steps(deployment, said)
        except (BuildError, InstallError, OSError) as error:
            deployment.state, deployment.error_code = ReadyState.ERROR, "BUILD_FAILED"
            deployment.error_message = redact(str(error))
            said(f"Error: {error}", "stderr")
        else:
            deployment.state = ReadyState.READY
            said("Build Completed")
        deployment.ready_at = now()

    async def _run_steps(self, deployment: Deployment, said: Callable[[str], None]) -> None:
        self.discard(deployment.id)
        root = private_folder(self._folder / deployment.id)
        await asyncio.to_thread(self._blobs.lay_out, deployment.files, root)
        app = self.app_folder(deployment)
        if not app.is_dir():
            message = f"the root directory {deployment.settings.get('rootDirectory')!r} is not among the deployed files"
            raise BuildError(message)
        settings = deployment.settings
        if settings.get("installCommand") is None:
            await self._dependencies.link_into(app, said)
        elif settings["installCommand"]:
            await self._shell(settings["installCommand"], app, install_environment(self._home), said)
        commands = package_of(app).get("scripts") or {}
        build = settings.get("buildCommand")
        if build is None:
            build = commands.get("vercel-build") or commands.get("build")
        for command in (commands.get("postinstall"), build):
            if command:
                tools = clean_environment(self._home, tools=app / "node_modules" / ".bin")
                await self._shell(command, app, deployment.build_env | tools | {"CI": "1"}, said)

    async def _shell(self, command: str, app: Path, environment: dict[str, str], said: Callable[[str], None]) -> None:
        said(f"Running {command!r}")
        code = await run(
            [executable("sh"), "-c", command], cwd=app, environment=environment, ledger=self._ledger, said=said
        )
        if code:
            message = f"Command {command!r} exited with {code}"
            raise BuildError(message)
