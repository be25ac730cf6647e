"""The running deployments: one Node process each, started at the first request and ended after some idle minutes.

The listening socket is opened here and handed to the process, so that requests wait in its queue while Node loads, and
the port is known before. The process also holds the end of a pipe: when the local cloud dies, so does it.
"""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.private_files import FILE_MODE, private_folder
from localcloud.vercel.commands import clean_environment, executable
from localcloud.vercel.ledger import Ledger, kill_rest
from localcloud.vercel.models import Deployment
from localcloud.vercel.redaction import Redactor

log = logging.getLogger("localcloud.vercel.instances")

LAUNCHER = Path(__file__).with_name("launcher.mjs")
_LOAD_TIMEOUT = 20.0
_STOP_TIMEOUT = 5.0
_BACKLOG = 512
_LONGEST_LOG = 1 << 20
_LONGEST_LINE = 1 << 20


class StartError(Exception):
    """The deployment's code did not load."""


@dataclass(eq=False)
class Instance:
    """One Node process that serves one deployment."""

    process: asyncio.subprocess.Process = field(repr=False)
    port: int
    public: Path | None = None
    in_flight: int = 0
    last_used: float = field(default_factory=time.monotonic)
    output: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        """Whether it can take a request."""
        return self.process.returncode is None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request, so that nobody ends the process under it."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self.last_used = time.monotonic()


class Instances:
    """At most one living process per deployment."""

    def __init__(
        self, state: Path, *, ledger: Ledger, app_folder: Callable[[Deployment], Path], idle_seconds: float = 300
    ) -> None:
        self._app_folder = app_folder
        self._logs = private_folder(state / "logs")
        self._home = private_folder(state / "home")
        self._ledger = ledger
        self._idle_seconds = idle_seconds
        self._running: dict[str, Instance] = {}
        self._starting: dict[str, asyncio.Task[Instance]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def running(self, deployment_id: str) -> Instance | None:
        """The living process of a deployment, if it has one."""
        instance = self._running.get(deployment_id)
        return instance if instance and instance.alive else None

    async def start(self, deployment: Deployment) -> Instance:
        """The process of a deployment, started if need be; StartError if its code doesn't load."""
        if instance := self.running(deployment.id):
            return instance
        task = self._starting.get(deployment.id)
        if task is None:
            task = self._starting[deployment.id] = asyncio.create_task(self._start(deployment))
            task.add_done_callback(lambda _: self._starting.pop(deployment.id, None))
        # One caller that gives up must not take the process from the others.
        return await asyncio.shield(task)

    def drop(self, deployment_id: str, instance: Instance) -> None:
        """Forget a process that takes no connection any more, perhaps before the loop knows that it ended."""
        if self._running.get(deployment_id) is instance:
            del self._running[deployment_id]
            ending = asyncio.create_task(self._end(instance))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def stop(self, deployment_id: str) -> None:
        """End the process of a deployment once its requests are answered, at the latest after some seconds."""
        if task := self._starting.get(deployment_id):
            with suppress(StartError):
                await asyncio.shield(task)
        if instance := self._running.pop(deployment_id, None):
            await self._end(instance)

    async def stop_all(self) -> None:
        """End every process."""
        await asyncio.gather(*(self.stop(deployment_id) for deployment_id in {*self._running, *self._starting}))
        await asyncio.gather(*self._ending)

    async def stop_idle(self) -> None:
        """End those that nobody asked anything for long."""
        before = time.monotonic() - self._idle_seconds
        idle = [
            key for key, instance in self._running.items() if not instance.in_flight and instance.last_used < before
        ]
        await asyncio.gather(*(self.stop(key) for key in idle))

    async def _start(self, deployment: Deployment) -> Instance:
        app = self._app_folder(deployment)
        public = app / (deployment.settings.get("outputDirectory") or "public")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(_BACKLOG)
            reader, writer = os.pipe()
            try:
                process = await asyncio.create_subprocess_exec(
                    executable("node"),
                    str(LAUNCHER),
                    str(listener.fileno()),
                    str(writer),
                    cwd=app,
                    env={"NODE_ENV": "production"} | deployment.env | clean_environment(self._home),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    pass_fds=(listener.fileno(), writer),
                    start_new_session=True,
                    limit=_LONGEST_LINE,
                )
            except OSError as error:
                os.close(reader)
                message = f"{deployment.id} did not start: {error}"
                raise StartError(message) from error
            finally:
                os.close(writer)
            instance = Instance(process, port=listener.getsockname()[1], public=public if public.is_dir() else None)
        self._ledger.enter(process.pid)
        instance.output = asyncio.create_task(self._keep_output(deployment, process))
        if not await _said_ready(reader):
            await self._end(instance)
            message = f"{deployment.id} did not load: see its log"
            raise StartError(message)
        self._running[deployment.id] = instance
        return instance

    async def _end(self, instance: Instance) -> None:
        process = instance.process
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_TIMEOUT):
                    await process.wait()
        kill_rest(process)
        await process.wait()
        if instance.output:
            await instance.output

    async def _keep_output(self, deployment: Deployment, process: asyncio.subprocess.Process) -> None:
        """Write what the deployment prints to its log, without secrets; strike it from the ledger when it is gone."""
        redact = Redactor(deployment.secrets)
        path = self._logs / f"{deployment.id}.log"
        assert process.stdout is not None, "asked for a pipe"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE), "w") as file:
            while not process.stdout.at_eof():
                try:
                    line = await process.stdout.readline()
                except ValueError:
                    continue
                if file.tell() < _LONGEST_LOG:
                    file.write(redact(line.decode(errors="replace")))
                    file.flush()
        code = await process.wait()
        self._ledger.strike(process.pid)
        log.info("the process of %s ended with %s", deployment.id, code)


async def _said_ready(descriptor: int) -> bool:
    """Wait until the launcher has loaded the code (True), or is gone (False)."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def readable() -> None:
        if not answer.done():
            answer.set_result(bool(os.read(descriptor, 1)))

    loop.add_reader(descriptor, readable)
    try:
        async with asyncio.timeout(_LOAD_TIMEOUT):
            return await answer
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
