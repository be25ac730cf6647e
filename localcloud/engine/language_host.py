"""Runs Python programs for the Pulumi engine where the official language host cannot be installed.

A stand-alone script: nothing of this repository may be importable from it but by the program's own directory, which
comes first on the path. It prints its port and serves `LanguageRuntime`; programs run one at a time, in the main
thread. The engine starts one host just to ask about it and another to run the program, so the SDK is loaded after the
port is printed.
"""

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import queue
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
from google.protobuf import empty_pb2


def _protocol() -> tuple[Any, Any, Any]:
    """The engine's protocol without the SDK around it, which takes twice as long to load."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"the package pulumi is not installed for {sys.executable}")
    package = ModuleType("pulumi_protocol")
    package.__path__ = [str(Path(spec.submodule_search_locations[0], "runtime", "proto"))]
    sys.modules[package.__name__] = package
    names = ("language_pb2", "language_pb2_grpc", "plugin_pb2")
    first, second, third = (importlib.import_module(f"{package.__name__}.{name}") for name in names)
    return first, second, third


language_pb2, language_pb2_grpc, plugin_pb2 = _protocol()

Run = tuple[Any, "Future[Any]"]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):  # type: ignore[name-defined, misc]
    """Answers the engine; hands programs to the main thread."""

    def __init__(self, runs: "queue.SimpleQueue[Run]") -> None:
        self._runs = runs

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        # Each generated package names its plugin when it is registered, so nothing has to be known in advance.
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        found = {(each.name, each.version) for each in importlib.metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=version) for name, version in sorted(found)]
        )

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        requirements = Path(request.info.program_directory, "requirements.txt")
        if not requirements.exists():
            return
        python, commands = Path(sys.executable), []
        if chosen := dict(request.info.options).get("virtualenv"):
            python = Path(request.info.root_directory, chosen, "bin", "python")
            if not python.exists():
                commands.append([sys.executable, "-m", "venv", str(python.parent.parent)])
        commands.append([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
        for command in commands:
            done = subprocess.run(command, cwd=requirements.parent, capture_output=True, check=False)
            yield language_pb2.InstallDependenciesResponse(stdout=done.stdout, stderr=done.stderr)
            if done.returncode:
                context.abort(grpc.StatusCode.INTERNAL, f"python {' '.join(command[1:])} failed")

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        result: Future[Any] = Future()
        self._runs.put((request, result))
        return result.result()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()


def run(request: Any, engine: str) -> Any:
    """Runs one program to its end. What it logs, and an error that ends it, goes to the engine at that address."""
    import pulumi  # noqa: PLC0415  the SDK is loaded after the port is printed
    from pulumi.runtime import reset_options, run_in_stack, set_all_config  # noqa: PLC0415

    reset_options(
        project=request.project,
        stack=request.stack,
        root_directory=request.info.root_directory,
        parallel=request.parallel,
        engine_address=engine,
        monitor_address=request.monitor_address,
        preview=request.dryRun,
        organization=request.organization or "organization",
    )
    set_all_config(dict(request.config), list(request.configSecretKeys))
    directory = Path(request.info.program_directory or request.pwd)
    program = directory / request.info.entry_point
    os.chdir(request.pwd or directory)
    sys.argv = [str(program), *request.args]
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4))
    loop.set_exception_handler(_end_on_rpc_error)
    with imports_from(program if program.is_dir() else program.parent):
        try:
            loop.run_until_complete(run_in_stack(lambda: _execute(program)))
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a program raises
            message = describe(error, directory)
            if message:
                pulumi.log.error(message)
                return language_pb2.RunResponse(bail=True)
        finally:
            _close(loop)
    return language_pb2.RunResponse()


def _execute(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def describe(error: BaseException, directory: Path) -> str:
    """What to show of an error: "" when the engine has reported it, else a message with the program's own frames."""
    import pulumi  # noqa: PLC0415

    match error:
        case SystemExit(code=None | 0):
            return ""
        case grpc.RpcError():
            code = getattr(error, "code", lambda: None)()
            details = getattr(error, "details", lambda: str(error))()
            return "" if code == grpc.StatusCode.UNAVAILABLE else f"the engine refused a request: {details}"
        case pulumi.RunError():
            return str(error)
        case SystemExit():
            return f"the program exited with {error.code}"
    shown = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = shown
    while link is not None:
        own = [frame for frame in link.stack if _is_own(Path(frame.filename), directory)]
        link.stack = traceback.StackSummary.from_list(own or list(link.stack))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "the program failed:\n" + "".join(shown.format()).rstrip()


def _is_own(file: Path, directory: Path) -> bool:
    return file.is_relative_to(directory) and "site-packages" not in file.parts


def _end_on_rpc_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if isinstance(context.get("exception"), grpc.RpcError):
        loop.stop()
    else:
        loop.default_exception_handler(context)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            loop.run_until_complete(task)
    loop.close()
    sys.stdout.flush()
    sys.stderr.flush()


@contextlib.contextmanager
def imports_from(directory: Path) -> Iterator[None]:
    """Puts a directory first on the path, and forgets its modules afterwards: the next run starts afresh."""
    before = set(sys.modules)
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        for name in set(sys.modules) - before:
            if _is_own(Path(getattr(sys.modules[name], "__file__", None) or "/"), directory):
                del sys.modules[name]


def end_after(parent: int) -> None:
    """Ends this process once the one that started it is gone; a program has nobody left to answer to then."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    """Serves until the engine ends it, whose address is the last argument, or is gone."""
    threading.Thread(target=end_after, args=(os.getppid(),), daemon=True).start()
    engine = sys.argv[-1] if len(sys.argv) > 1 else ""
    # A handler in Python can miss a signal that arrives just before the main thread waits; the engine then waits 5 s.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=unlimited)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(runs), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    importlib.import_module("pulumi")
    while True:
        request, result = runs.get()
        try:
            result.set_result(run(request, engine))
        except BaseException as error:  # noqa: BLE001  the engine waits for an answer, whatever happened
            result.set_exception(error)


if __name__ == "__main__":
    main()
